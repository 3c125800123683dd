#!/usr/bin/env python3
"""Writes golden/*.json: what the reference tokenizers make of the cases in cases.py.

    pip install mistral-common==1.13.1 sentencepiece==0.2.3 protobuf tokenizers==0.23.3
    ./golden.py "$(../../third_party/llama.cpp/fetch.sh)" "$(./fetch-tokenizers.sh)" "$(../../third_party/smollm2/fetch.sh)"

Mistral formats and Codestral's fill-in come from mistral-common itself. For the other families
the prompt is put together here as its authors write it (see the functions below and
model-families.md of the project), and each text is encoded by SentencePiece or by Hugging Face
tokenizers with the family's real vocabulary, taken from the pinned llama.cpp sources. Neither
llama.cpp's nor this project's code takes part.

CodeGemma and Code Llama are stand-ins, built like the ones in gguf/gguftest/families.go.
"""
import json
import pathlib
import struct
import sys

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

import cases

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


# --- vocabularies -------------------------------------------------------------------------------

def read_gguf(path):
    """The metadata of a GGUF file."""
    data = memoryview(pathlib.Path(path).read_bytes())
    at = 0
    scalars = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

    def take(fmt):
        nonlocal at
        value = struct.unpack_from("<" + fmt, data, at)[0]
        at += struct.calcsize("<" + fmt)
        return value

    def text():
        nonlocal at
        n = take("Q")
        at += n
        return bytes(data[at - n:at]).decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            inner, n = take("I"), take("Q")
            return [value(inner) for _ in range(n)]
        return take(scalars[kind])

    assert bytes(data[:4]) == b"GGUF"
    at = 8
    take("Q")
    entries = {}
    for _ in range(take("Q")):
        key = text()
        entries[key] = value(take("I"))
    return entries


def sentence_piece(pieces, dummy_space):
    """A SentencePiece processor for pieces of (text, score, type)."""
    model = sentencepiece_model_pb2.ModelProto()
    model.trainer_spec.model_type = 2  # BPE
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = dummy_space
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    for text, score, kind in pieces:
        piece = model.pieces.add()
        piece.piece, piece.score, piece.type = text, score, kind
        if kind == UNKNOWN:
            model.trainer_spec.unk_id = len(model.pieces) - 1
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def gguf_pieces(path):
    entries = read_gguf(path)
    return list(zip(entries["tokenizer.ggml.tokens"], entries["tokenizer.ggml.scores"], entries["tokenizer.ggml.token_type"]))


def code_llama_pieces(llama2):
    added = [(text, 0.0, NORMAL) for text in ("▁<SU", "▁<SUF", "▁<PRE", "▁<M", "▁<MID", "▁<E", "▁<EOT")]
    added += [(text, 0.0, CONTROL) for text in ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")]
    added += [("▁" + "<EOT>" * n, 0.0, NORMAL) for n in range(2, 7)]
    return llama2 + added


def gemma_pieces(llama2):
    pieces = [(text, 0.0, CONTROL) for text in ("<pad>", "<eos>", "<bos>")] + [("<unk>", 0.0, UNKNOWN)]
    pieces += [(text, 0.0, USER_DEFINED) for text in ("<mask>", "<2mass>", "[@BOS@]")]
    pieces += [(f"<unused{i - 7}>", 0.0, CONTROL) for i in range(7, 108)]
    for i, text in {67: "<|fim_prefix|>", 68: "<|fim_middle|>", 69: "<|fim_suffix|>", 70: "<|file_separator|>",
                    106: "<start_of_turn>", 107: "<end_of_turn>"}.items():
        pieces[i] = (text, 0.0, CONTROL)
    pieces += [("\n" * n, 0.0, USER_DEFINED) for n in range(1, 32)]
    pieces += [("▁" * n, 0.0, USER_DEFINED) for n in range(2, 32)]  # real spaces in a GGUF file
    pieces += [(f"<tag{i}>", 0.0, USER_DEFINED) for i in range(len(pieces), 217)]
    pieces[213] = ("</s>", 0.0, USER_DEFINED)
    pieces += [(f"<0x{i:02X}>", 0.0, BYTE) for i in range(256)]
    have = {text for text, _, _ in pieces}
    return pieces + [p for p in llama2 if p[2] == NORMAL and p[0] not in have]


def byte_level_bpe(path, splits, ignore_merges=False, added=range(0)):
    """A byte-level BPE tokenizer from a GGUF file; splits come before the byte level, and before
    them the added pieces are cut out of the text."""
    entries = read_gguf(path)
    vocabulary = {text: i for i, text in enumerate(entries["tokenizer.ggml.tokens"])}
    merges = [tuple(m.split(" ", 1)) for m in entries["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    tokenizer.add_tokens([AddedToken(entries["tokenizer.ggml.tokens"][i], normalized=False) for i in added])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
gpt2_split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
digits = pre_tokenizers.Digits(individual_digits=True)

# The pre-tokenizers of the models' tokenizer.json.
DEEPSEEK = [split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(r"[一-龥ࠀ-一가-퟿]+"), digits, byte_level]
QWEN2 = [split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level]
LLAMA3 = [split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level]
STARCODER = [digits, gpt2_split]


# --- fill-in-the-middle -------------------------------------------------------------------------

def fim_codellama(sp, suffix_first):
    """infilling_prompt_tokens of meta-llama/codellama."""
    def encode(prefix, suffix):
        # The tokenizer gives "☺" two tokens: the dummy space and itself.
        bare = sp.encode("☺" + suffix)[2:]
        if suffix_first:
            return [1, 32007, 32008] + bare + [32009] + sp.encode(prefix)
        return [1, 32007] + sp.encode(prefix) + [32008] + bare + [32009]
    return encode


def fim_codestral(tokenizer):
    from mistral_common.tokens.tokenizers.base import FIMRequest

    return lambda prefix, suffix: tokenizer.encode_fim(FIMRequest(prompt=prefix, suffix=suffix)).tokens


def fim_marks(encode, bos, before, between, after):
    return lambda prefix, suffix: bos + [before] + encode(prefix) + [between] + encode(suffix) + [after]


# --- chat ---------------------------------------------------------------------------------------

def chat_mistral(tokenizer):
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    def encode(messages):
        made = []
        for i, m in enumerate(messages):
            last = i == len(messages) - 1
            if m["role"] == "system":
                made.append(SystemMessage(content=m["content"]))
            elif m["role"] == "user":
                made.append(UserMessage(content=m["content"]))
            else:
                made.append(AssistantMessage(content=m["content"], prefix=last))
        request = tokenizer._instruct_request_normalizer.from_chat_completion_request(ChatCompletionRequest(messages=made))
        return tokenizer.instruct_tokenizer.encode_instruct(request).tokens
    return encode


def chat_llama2(sp):
    """chat_completion of meta-llama/codellama; neighbours of one role were joined before."""
    def encode(messages):
        if messages[0]["role"] == "system":
            content = "<<SYS>>\n" + messages[0]["content"].strip() + "\n<</SYS>>\n\n" + messages[1]["content"].strip()
            messages = [{"role": "user", "content": content}] + messages[2:]
        text = lambda question: f"[INST] {question['content'].strip()} [/INST]"
        finished = messages[:-1] if messages[-1]["role"] == "user" else messages[:-2]
        ids = []
        for question, answer in zip(finished[::2], finished[1::2]):
            ids += [1] + sp.encode(f"{text(question)} {answer['content'].strip()} ") + [2]
        if messages[-1]["role"] == "assistant":  # to be continued: neither the space nor the end
            return ids + [1] + sp.encode(f"{text(messages[-2])} {messages[-1]['content'].strip()}")
        return ids + [1] + sp.encode(text(messages[-1]))
    return encode


def chat_gemma(sp):
    def encode(messages):
        if messages[0]["role"] == "system":
            content = messages[0]["content"].strip() + "\n\n" + messages[1]["content"].strip()
            messages = [{"role": "user", "content": content}] + messages[2:]
        ids = [2]
        for i, m in enumerate(messages):
            role = {"user": "user", "assistant": "model"}[m["role"]]
            ids += [106] + sp.encode(role + "\n" + m["content"].strip())
            if m["role"] == "assistant" and i == len(messages) - 1:
                return ids
            ids += [107] + sp.encode("\n")
        return ids + [106] + sp.encode("model\n")
    return encode


def chat_deepseek(encode_text):
    """The template of the instruct models; a system text without line end gets one."""
    def encode(messages):
        rendered = ""
        for i, m in enumerate(messages):
            if m["role"] == "system":
                rendered += m["content"] + ("" if not m["content"] or m["content"].endswith("\n") else "\n")
            elif m["role"] == "user":
                rendered += "### Instruction:\n" + m["content"] + "\n"
            elif i == len(messages) - 1:
                rendered += "### Response:\n" + m["content"]
            else:
                rendered += "### Response:\n" + m["content"] + "\n\0\n"
        if messages[-1]["role"] != "assistant":
            rendered += "### Response:\n"
        ids = [32013]
        for i, text in enumerate(rendered.split("\0")):
            ids += ([32021] if i else []) + encode_text(text)
        return ids
    return encode


def chat_chatml(encode_text, start, end):
    def encode(messages):
        ids = []
        for i, m in enumerate(messages):
            ids += [start] + encode_text(m["role"] + "\n" + m["content"])
            if m["role"] == "assistant" and i == len(messages) - 1:
                return ids
            ids += [end] + encode_text("\n")
        return ids + [start] + encode_text("assistant\n")
    return encode


def chat_llama3(encode_text):
    def encode(messages):
        ids = [128000]
        for i, m in enumerate(messages):
            ids += [128006] + encode_text(m["role"]) + [128007] + encode_text("\n\n" + m["content"].strip())
            if m["role"] == "assistant" and i == len(messages) - 1:
                return ids
            ids += [128009]
        return ids + [128006] + encode_text("assistant") + [128007] + encode_text("\n\n")
    return encode


def joined(encode):
    """Brings messages into the order system, user, assistant, user, ... as mistral-common does."""
    def run(messages):
        system = "\n\n".join(m["content"] for m in messages if m["role"] == "system" and m["content"])
        turns = []
        for m in messages:
            if m["role"] == "system":
                continue
            if turns and turns[-1]["role"] == m["role"]:
                turns[-1]["content"] = "\n\n".join(t for t in (turns[-1]["content"], m["content"]) if t)
            else:
                turns.append(dict(m))
        if not turns or turns[0]["role"] != "user":
            turns.insert(0, {"role": "user", "content": ""})
        if system:
            turns.insert(0, {"role": "system", "content": system})
        return encode(turns)
    return run


# --- output -------------------------------------------------------------------------------------

def main():
    sources, mistral, smollm = sys.argv[1:]
    vocabulary = lambda name: f"{sources}/models/ggml-vocab-{name}.gguf"
    llama2 = gguf_pieces(vocabulary("llama-spm"))

    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    v1, v2, v3 = (MistralTokenizer.from_file(cases.named(mistral, v)) for v in (1, 2, 3))

    code_llama = sentence_piece(code_llama_pieces(llama2), True)
    plain_llama = sentence_piece(llama2, True)
    gemma = sentence_piece(gemma_pieces(llama2), False)
    deepseek = byte_level_bpe(vocabulary("deepseek-coder"), DEEPSEEK, added=range(32000, 32013))  # single letters
    qwen = byte_level_bpe(vocabulary("qwen2"), QWEN2)
    starcoder = byte_level_bpe(vocabulary("starcoder"), STARCODER)
    smol = byte_level_bpe(smollm, STARCODER)
    llama3 = byte_level_bpe(vocabulary("llama-bpe"), LLAMA3, ignore_merges=True)

    fim = {
        "codellama-psm": fim_codellama(code_llama, False),
        "codellama-spm": fim_codellama(code_llama, True),
        "codestral": fim_codestral(v3),
        "codegemma": fim_marks(gemma.encode, [2], 67, 69, 68),
        "deepseekcoder": fim_marks(deepseek, [32013], 32016, 32015, 32017),
        "qwen2.5-coder": fim_marks(qwen, [], 151659, 151661, 151660),
        "starcoder2": fim_marks(starcoder, [], 1, 3, 2),
        "mistral-v1-base": lambda prefix, suffix: [1] + v1.instruct_tokenizer.tokenizer.encode(prefix, bos=False, eos=False),
        "llama3-base": lambda prefix, suffix: [128000] + llama3(prefix),
    }
    chat = {
        "mistral-v1": chat_mistral(v1),
        "mistral-v2": chat_mistral(v2),
        "mistral-v3": chat_mistral(v3),
        "llama2": joined(chat_llama2(plain_llama)),
        "gemma": joined(chat_gemma(gemma)),
        "deepseek-coder": chat_deepseek(deepseek),
        "chatml-qwen": chat_chatml(qwen, 151644, 151645),
        "chatml-smollm2": chat_chatml(smol, 1, 2),
        "llama3": chat_llama3(llama3),
    }
    folder = pathlib.Path(__file__).parent / "golden"
    folder.mkdir(exist_ok=True)
    for name, encode in fim.items():
        lines = [{"name": c["name"], "prefix": c["prefix"], "suffix": c["suffix"], "ids": encode(c["prefix"], c["suffix"])}
                 for c in cases.FIM if name not in c.get("not", ())]
        write(folder / f"fim-{name}.json", lines)
    for name, encode in chat.items():
        lines = [{"name": c["name"], "messages": c["messages"], "ids": encode(c["messages"])}
                 for c in cases.CHAT if name not in c.get("not", ())]
        write(folder / f"chat-{name}.json", lines)


def write(path, lines):
    """One case a line, so that a change shows which case it is."""
    path.write_text("[\n" + ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n]\n")
    print(f"{path.name}: {len(lines)} cases")


if __name__ == "__main__":
    main()

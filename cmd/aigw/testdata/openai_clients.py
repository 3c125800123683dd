"""Asks a gateway as programs do that use the packages openai and, where it is installed, litellm.

    python openai_clients.py URL KEY

The model is called smol. Whatever is not as these clients expect it ends in an exception.
"""

import json
import sys

import openai

try:
    import litellm
except ImportError:
    litellm = None

url, key = sys.argv[1], sys.argv[2]
question = [{"role": "user", "content": "What is the capital of France?"}]


def with_openai(base):
    client = openai.OpenAI(base_url=base, api_key=key, max_retries=0)
    models = [m.id for m in client.models.list()]
    assert "smol" in models, models
    assert client.models.retrieve("smol").object == "model"

    whole = client.chat.completions.create(model="smol", messages=question, temperature=0, max_tokens=16, seed=1, n=2)
    text = whole.choices[0].message.content
    assert "France" in text and len(whole.choices) == 2 and whole.choices[1].message.content == text, whole
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens, whole.usage
    assert whole.usage.prompt_tokens_details.cached_tokens >= 0

    pieces, usage, finish = "", None, None
    for chunk in client.chat.completions.create(
        model="smol", messages=question, temperature=0, max_completion_tokens=16, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            pieces += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert pieces == text and usage.completion_tokens == whole.usage.completion_tokens // 2 and finish in ("stop", "length"), (pieces, text, usage, finish)

    with client.chat.completions.stream(model="smol", messages=question, temperature=0, max_tokens=16) as stream:
        assert stream.get_final_completion().choices[0].message.content == text

    done = client.completions.create(model="smol", prompt=["1, 2, 3,", "a, b, c,"], temperature=0, max_tokens=8, stop=["9"])
    assert [c.index for c in done.choices] == [0, 1] and "4" in done.choices[0].text, done
    filled = client.completions.create(model="smol", prompt="def add(a, b):\n    return", suffix="\n\nprint(add(1, 2))\n", temperature=0, max_tokens=8)
    assert filled.choices[0].text, filled

    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"], "additionalProperties": False}
    kept = client.chat.completions.create(
        model="smol", messages=question, temperature=0, response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": schema}}
    )
    assert kept.choices[0].message.content.lstrip().startswith("{"), kept

    told = client.chat.completions.create(model="smol", messages=question, temperature=0, max_tokens=8, logprobs=True, top_logprobs=2)
    content = told.choices[0].logprobs.content
    assert b"".join(bytes(t.bytes) for t in content).decode() == told.choices[0].message.content, content
    assert all(t.logprob <= 0 and t.token == t.top_logprobs[0].token and len(t.top_logprobs) == 2 for t in content), content
    said = client.completions.create(model="smol", prompt="1, 2, 3,", temperature=0, max_tokens=4, logprobs=1)
    assert "".join(said.choices[0].logprobs.tokens) == said.choices[0].text, said
    assert client.completions.create(model="smol", prompt="1, 2, 3,", max_tokens=2, echo=True).choices[0].text.startswith("1, 2, 3,")

    places = {"type": "function", "function": {"name": "find_place", "strict": True, "parameters": {
        "type": "object", "properties": {"kind": {"enum": ["city", "river"]}}, "required": ["kind"], "additionalProperties": False}}}
    called = client.chat.completions.create(model="smol", messages=question, temperature=0, tools=[places], tool_choice="required")
    call = called.choices[0].message.tool_calls[0]
    assert called.choices[0].finish_reason == "tool_calls" and call.function.name == "find_place" and json.loads(call.function.arguments)["kind"] in ("city", "river"), called
    back = question + [called.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "Paris"}]
    assert client.chat.completions.create(model="smol", messages=back, max_tokens=8, tools=[places], tool_choice="none").choices[0].message.content
    with client.chat.completions.stream(model="smol", messages=question, temperature=0, tools=[places], tool_choice="required") as stream:
        assert stream.get_final_completion().choices[0].message.tool_calls[0].function.arguments == call.function.arguments

    vectors = client.embeddings.create(model="embed", input=["one text", "another", "one text"])
    assert vectors.data[0].embedding == vectors.data[2].embedding != vectors.data[1].embedding and vectors.usage.prompt_tokens > 0, vectors
    plain = client.embeddings.create(model="embed", input="one text", encoding_format="float").data[0].embedding
    assert max(abs(a - b) for a, b in zip(plain, vectors.data[0].embedding)) < 1e-6

    for wrong, kind in (
        ({"model": "gpt-4"}, openai.NotFoundError),
        ({"temperature": 3}, openai.BadRequestError),
        ({"top_logprobs": 2}, openai.BadRequestError),
        ({"logprobs": True, "top_logprobs": 21}, openai.BadRequestError),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, openai.BadRequestError),
        ({"messages": [{"role": "user", "content": "x " * 20000}]}, openai.BadRequestError),
        ({"max_tokens": "many"}, openai.BadRequestError),
        ({"messages": "Hi"}, openai.BadRequestError),
        ({"stop": 7}, openai.BadRequestError),
    ):
        for stream in (False, True):
            try:
                client.chat.completions.create(**({"model": "smol", "messages": question, "stream": stream} | wrong))
            except kind as e:
                assert e.body["message"] and e.type == "invalid_request_error" and e.code and e.param, e.body
                assert (e.code == "model_not_found") == (kind is openai.NotFoundError), e.body
                assert (e.code == "context_length_exceeded") == ("x x x" in str(wrong)), e.body
            else:
                raise AssertionError(wrong)
    try:
        openai.OpenAI(base_url=base, api_key="sk-aigw-wrong", max_retries=0).models.list()
    except openai.AuthenticationError as e:
        assert e.code == "invalid_api_key" and e.type == "authentication_error", e.body
    else:
        raise AssertionError("a wrong key opens the door")


def with_litellm():
    """As GitLab's AI Gateway asks its model server: provider custom_openai and text-completion-openai."""
    common = {"api_base": url + "/v1", "api_key": key, "temperature": 0, "max_tokens": 16}
    whole = litellm.completion(model="custom_openai/smol", messages=question, **common)
    text = whole.choices[0].message.content
    assert "France" in text, whole
    pieces = "".join(c.choices[0].delta.content or "" for c in litellm.completion(model="custom_openai/smol", messages=question, stream=True, **common))
    assert pieces == text, (pieces, text)
    marked = "<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>"
    # Four tokens: what is computed beside other tokens may round otherwise, and later ones of this text are close to a tie.
    short = common | {"max_tokens": 4}
    chat = litellm.completion(model="custom_openai/smol", messages=[{"role": "user", "content": marked}], stop=["<|fim_prefix|>", "<|file_separator|>"], **short)
    plain = litellm.text_completion(model="text-completion-openai/smol", prompt=marked, **short)
    assert chat.choices[0].message.content == plain.choices[0].text != "", (chat, plain)
    assert chat.usage.prompt_tokens == plain.usage.prompt_tokens, (chat, plain)


with_openai(url + "/v1")
for base in (url, url + "/v1/"):  # people write both
    assert openai.OpenAI(base_url=base, api_key=key, max_retries=0).completions.create(model="smol", prompt="a", max_tokens=1).choices
if litellm:
    litellm.telemetry = False
    with_litellm()
print("openai", openai.__version__, "and litellm" if litellm else "", "got what they expect")

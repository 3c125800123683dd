#!/usr/bin/env python3
"""Asks FastAPI and pydantic how they answer request bodies, and writes the answers down.

The Go tests of gateway/schema and gateway/codesuggestions compare themselves with these files:

    python3 -m venv venv && venv/bin/pip install fastapi==0.115.6 pydantic==2.10.4 starlette==0.41.3
    venv/bin/python oracle.py kinds > kinds.jsonl
    venv/bin/python oracle.py completions --count 200 > completions.jsonl
    venv/bin/python oracle.py generations --count 120 > generations.jsonl
    venv/bin/python oracle.py components --count 200 > components.jsonl

A larger comparison that is not kept: give another --seed and --count, write the result anywhere,
and name the file in AIGW_ORACLE when running the Go tests.

Every line is [schema, content type or null, body, status, answer]. A body is a string, or
{"base64": ...} where it is not UTF-8; in strings <<x*N>> stands for N times x. The answer to 422
is the "detail" list, to 200 the parsed value (null for generations and components). An error without "input" has one too long to keep.

What FastAPI cannot answer because JSON has no word for it (NaN, a lone surrogate in an echoed
input: it fails with 500) is answered here with null and U+FFFD, as the Go server does.
Made with Python 3.11, whose json module is the reference for error texts and offsets.
"""

import argparse
import asyncio
import base64
import enum
import json
import math
import random
import re
from typing import Annotated, Any, ClassVar, Dict, List, Literal, Optional, Union

from fastapi import Body, FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import (AnyUrl, BaseModel, ConfigDict, Field, StringConstraints, UrlConstraints,
                      ValidationInfo, conlist, create_model, field_validator)
from starlette.responses import Response


def clean(x: Any) -> Any:
    """Turns x into what strict JSON can hold."""
    if isinstance(x, float) and not math.isfinite(x):
        return None
    if isinstance(x, bytes):
        return x.decode("utf-8", "replace")
    if isinstance(x, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", x)
    if isinstance(x, (list, tuple)):
        return [clean(i) for i in x]
    if isinstance(x, dict):
        return {clean(k): clean(v) for k, v in x.items()}
    return x


def dumps(x: Any) -> str:
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


app = FastAPI()


@app.exception_handler(RequestValidationError)
async def refused(_: Request, exc: RequestValidationError) -> Response:
    errors = []
    for e in exc.errors():
        e = dict(e)
        if "ctx" in e:
            e["ctx"] = jsonable_encoder(e["ctx"])
        errors.append(clean(e))
    return Response(dumps({"detail": errors}), 422, media_type="application/json")


def dump(x: Any) -> Any:
    if isinstance(x, BaseModel):
        return {k: dump(getattr(x, k)) for k in x.__class__.model_fields}
    if isinstance(x, enum.Enum):
        return x.value
    if isinstance(x, AnyUrl):
        return None  # the Go server keeps the text as it came
    if isinstance(x, list):
        return [dump(i) for i in x]
    if isinstance(x, dict):
        return {k: dump(v) for k, v in x.items()}
    if isinstance(x, int) and not isinstance(x, bool):
        return max(-(2**63), min(2**63 - 1, x))  # the Go server keeps the nearest int64
    return x


def endpoint(name: str, kind: Any) -> None:
    async def handler(body: kind) -> Response:  # type: ignore
        return Response(dumps(clean(dump(body))), 200, media_type="application/json")

    app.post("/" + name)(handler)


# --- one model for each kind of value -------------------------------------------------------

class Provider(str, enum.Enum):
    ANTHROPIC = "anthropic"
    VERTEX = "vertex-ai"
    QUOTED = "it's"


class Role(str, enum.Enum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(BaseModel):
    role: Role
    content: str


class Pair(BaseModel):
    a: Annotated[str, StringConstraints(max_length=3)]
    b: int = 7
    c: Optional[bool] = None


class React(BaseModel):
    kind: Literal["react"]
    steps: List[Pair]


class Plan(BaseModel):
    kind: Literal["plan"]
    n: int


class One(BaseModel):
    version: Literal[1]
    x: Optional[int] = None


class Two(BaseModel):
    version: Literal[2]
    x: str


STRINGS = [r'""', '"abc"', '"abcd"', '"  abc  "', '"äöü"', '"äöüß"', r'"\u00e4\u00f6\ud83d\ude00"', r'"\ud83d\ude00\ud83d\ude00"',
           '"\u00a0abc\u3000"', r'"\u001cabc"', r'"\ud800"', r'"a\udc00b"', r'"\ud800\ud800"', r'"\udc00\ud800"', '"\\\\\\"\\/\\b\\f\\n\\r\\t"']
SCALARS = ["null", "true", "false", "0", "1", "-0", "2", "1.0", "0.0", "-0.0", "0.5", "1e0", "1e400", "-1e400", "NaN", "Infinity", "-Infinity",
           "12345678901234567890", "9223372036854775807", "1e18", "9.3e18", "1e22", "1E5", "1.5e300", "1e-7", "0.0001", "123456789012345680.0"]
CONTAINERS = ["[]", "{}", "[1]", '{"a":1}', '["x"]']
INT_TEXTS = ["1", " 1 ", "+1", "-1", "+-1", "--1", "007", "-007", "1_0", "1__0", "_1", "1_", "0_1", "0__1", "0-1", "-0-1", "+0-1", "0-01", "1.0", "1.00", "1.",
             ".0", "1.5", "0.0", "00.0", "0_.0", "1_0.0", "1_.0", "1e3", "", " ", "x", "0x1", "١", "１", "-", "+", "\u00a01", "\x1c1", "1\x00", "-0", "9223372036854775808"]
FLOAT_TEXTS = INT_TEXTS + ["inf", "-Inf", "+infinity", "nan", "-NAN", "infinit", "infin_ity", "1e400", "1_0.5", " 1_0", "1e1_0", "1e+2", "1e", ".5", "5.", "1p3", "0x1p3", "1._5"]
BOOL_TEXTS = ["on", "ON", "off", "yes", "No", "y", "n", "t", "f", "TRUE", "false", " true", "1", "0", "2", "", "ja"]
URLS = ["http://a", "http://a.example:8080/v1?x=y#z", "HTTP://A", "https://user:pw@h/p", "http://[::1]:80/", "http://1.2.3.4", "http://a b", "a", "//a", "/a", "http:", "http://",
        "http:a", "http:///a", "http://:80", "http://a:", "http://a:x", "http://a:65536", "http://a:065535", "http://[::1", "http://[::g]", "http://1.2.3.4.5", "http://256.1.1.1",
        "http://1.2.3", "http://0x7f.1", "http://a<b", "http://a%00b", "http://a%41", "http://ä.de", "mailto:a@b", "file:///a", "x:y", "1:2", "a b:c", " http://a ", "ht\ntp://a", "",
        "http://@", "http://a@", "http://a\\b", "data:,x", "unix:/a", "x://", "x://a b", "x://[", "x:// ", "http://" + "a" * 40, "http://a/" + "ä" * 15, "://", ":", "http://a.b.", "http://..", "http://a^b", "http://a|b", "http://a_b", "http://a.0x", "http://0x", "http://4294967296", "http://1.16777216", "http://09", "http://1.2.3.09", "http://a.1",
        "http://a%zz", "http://a%", "http://%2f", "http://xn--", "http://xn--a-ecp.ru", "http://a\u00ad", "http://\u00ad", "http://ａ.com", "http://a。b", "http://-a-", "http://a..b", "http://[1.2.3.4]", "http://[::1.2.3.4]",
        "http://[::1%25eth0]", "http://[::]x", "http://]", "http://a]:1", "http://[::1]x:80", "http://a:+1", "http://a:1 ", "http://a: 1", "http://a:00000000000000000080", "file://a b/", "file://", "file:a", "file:///C:/", "file://C:/x", "file://a:80/",
        "file://[::1", "x://a:b", "x://a:99999", "x://@a", "x://@", "x://:80", "x://a%zz", "x://ä", "x:///a", "x://a\\b", "http://a?b:c@d", "http://a#b@[", "http://u:p:q@h", "http://u@v@h", "http://a\u200db", "http://٠", "http://a\x7fb"]


def quote(texts: List[str]) -> List[str]:
    return [json.dumps(t, ensure_ascii=False) for t in texts]


PLAIN = SCALARS + CONTAINERS + STRINGS
FEW = ["null", "1", '"a"', "[]", "{}", "1.5", "true"]
PAIRS = ["{}", '{"a":"x"}', '{"a":"xxxx","b":"x","c":2}', '{"b":1.5,"c":"maybe","z":[]}', '{"a":null}', '{"a":"x","a":"yyyy"}', '{"a":"yyyy","a":"x"}', '{"\\u0061":"x"}', '{"a":"x","b":null}']

KINDS: Dict[str, Any] = {
    "string": (str, PLAIN),
    "string3": (Annotated[str, StringConstraints(max_length=3)], STRINGS + FEW),
    "string1": (Annotated[str, StringConstraints(max_length=1, min_length=1)], STRINGS[:6] + ["1"]),
    "string-min2": (Annotated[str, StringConstraints(min_length=2)], STRINGS[:3] + ['"a"']),
    "trim3": (Annotated[str, StringConstraints(strip_whitespace=True, max_length=3)], STRINGS + FEW),
    "string-null": (Optional[str], FEW + [r'"\ud800"']),
    "int": (int, PLAIN + quote(INT_TEXTS) + ['"<<1*4300>>"', '"<<1*4301>>"', '"-<<1*4300>>"', '"<<0*4300>>1"', '"+<<1*4300>>"', '"<<1*4300>>.0"']),
    "int1-20": (Annotated[int, Field(ge=1, le=20)], ["0", "1", "20", "21", '"21"', "1e3", "123456789012345678901234567890", "-123456789012345678901234567890", "NaN", '"x"']),
    "int-null": (Optional[int], FEW),
    "float": (float, PLAIN + quote(FLOAT_TEXTS)),
    "float0-1": (Annotated[float, Field(ge=0.0, le=1.0)], ["0", "1", "0.5", "-0.1", "1.1", '"nan"', "NaN", "Infinity", "-Infinity", '"2"', "123456789012345678901234567890", "true", "[]"]),
    "float-half": (Annotated[float, Field(ge=0.5)], ["0", "1", "0.5"]),
    "bool": (bool, PLAIN + quote(BOOL_TEXTS)),
    "bool-null": (Optional[bool], FEW),
    "enum": (Provider, ['"anthropic"', '"Anthropic"', '"it\'s"', r'"\ud800"'] + FEW),
    "enum-null": (Optional[Role], ['"user"'] + FEW),
    "literal": (Literal["issue", "epic"], ['"issue"', '"x"', r'"\ud800"'] + FEW),
    "literal-one": (Literal["react"], ['"react"', '"x"', "null"]),
    "list-int": (List[int], CONTAINERS + FEW + ['[1,"x",2.5,"7",null]', '[[1],{"a":2}]']),
    "list-int2": (conlist(int, max_length=2), ["[]", "[1,2]", "[1,2,3]", '["a","b"]', '["a","b","c"]', '[1,"a",3,4]', "{}", "null"]),
    "list-pair1-2": (conlist(Pair, min_length=1, max_length=2), ["[]", "[{}]", '[{"a":"x"}]', "[1,2,3]", '[{"a":"xxxx"},null]']),
    "list-min2": (conlist(int, min_length=2), ["[]", "[1]", '["x"]', "[1,2]"]),
    "list-max1": (conlist(int, max_length=1), ["[]", "[1,2]"]),
    "pair": (Pair, PAIRS + FEW),
    "pair-null": (Optional[Pair], PAIRS[:3] + FEW),
    "dict": (Dict[str, Any], ["{}", '{"a":[1,null,{"b":2.0}],"a":3,"c":"x"}', r'{"\ud800":1}'] + FEW),
    "dict-3": (Dict[Annotated[str, StringConstraints(max_length=2)], Annotated[str, StringConstraints(max_length=3)]],
               ["{}", '{"a":"x"}', '{"aaa":"xxxx","b":1}', '{"b":"x","aaa":"x","b":"xxxx"}', "null", "[]"]),
    "tagged": (Annotated[Union[React, Plan], Field(discriminator="kind")],
               ["{}", '{"kind":"react"}', '{"kind":"react","steps":[{"a":1},{}]}', '{"kind":"plan","n":"1"}', '{"kind":"x"}', '{"kind":null}', '{"kind":1}', '{"kind":["react"]}', "null", "[]", '"react"',
                '{"kind":"x","kind":"plan","n":1}', r'{"kind":"\ud800"}']),
    "version": (Annotated[Union[One, Two], Field(discriminator="version")],
                ['{"version":%s}' % v for v in PLAIN + quote(["1", "it's", 'say "x"'])] +
                ['{"version":2,"x":1}', '{"version":true,"x":"a"}', '{"version":1e0,"x":"a"}', '{"version":["\\ud800a"]}',  '{"version":2,"x":"a"}', '{"version":1.0,"x":"a"}', '{"version":[1,"a\'b",{"k":null,"k2":[true,1.5,"\\n\\u0000\\u200b\\u00e9\\ud83d\\ude00"]}]}', "[]", "null",
                 '{"version":"it\'s \\"x\\""}', '{"version":["it\'s \\"x\\"\\\\"]}']),
    "text-or-messages": (Union[Annotated[str, StringConstraints(max_length=3)], conlist(Message, min_length=1, max_length=2)],
                         ['"abc"', '"abcd"', "1", "null", "[]", "{}", '[{"role":"user","content":"x"}]', '[{"role":"x"}]', "[1,2,3]", r'"\ud800"']),
    "any": (Any, FEW),
    "url": (AnyUrl, quote(URLS) + FEW),
    "url30": (Annotated[AnyUrl, UrlConstraints(max_length=30)], quote(["http://" + "a" * 22, "http://" + "a" * 23, "http://" + "a" * 24, "http://a/" + "ä" * 3, "http://a/" + "ä" * 4, "http://a/" + "ä" * 10, "http://a/" + "ä" * 11, "http://a/" + "b" * 22,
              " http://" + "a" * 22 + " ", "HTTP://a/../../../../../../../..", "http://ä" + "a" * 10, "http://ä" + "a" * 22, "mailto:" + "a" * 23, "mailto:" + "a" * 24, "http://" + "a" * 19 + ":80/", "http://" + "a" * 21 + "?x", "x" * 30, "x" * 31, "", "x"]) + ["1"]),
}

for _name, (_kind, _) in KINDS.items():
    endpoint(_name, create_model("Holder", v=(_kind, ...)))

SYNTAX: List[Any] = [
    "", " ", "null", " null ", "1", "[]", '"s"', "{}", "{", "}", "[", "]", '{"v"', '{"v":', '{"v":1', '{"v":1,', '{"v":1,}', '{"v":1 /', '{"v" 1}', "{1:2}", "{,}", "[1,]", "[,1]", "[1 2]", "[1", "[1,",
    '"abc', '"', r'"\x"', '"\\', r'"\u12"', r'"\u12zz"', r'"\u1234', r'"\u123', r'"\ud800\u12zz"xx', r'"\ud800\udc00', r'"\ud800\udc00"', r'"\ud800\n"', '"\n"', '"a\tb"', '"\x7f"',
    "nul", "nulll", "tru", "True", "falsee", "-", "--1", "+1", "01", "-01", "1.", "1.e5", "1e", "1e+", "1E+5x", ".5", "1.5.5", "0x10", "1_0", "NaN", "nan", "Infinit", "-Infinity", "-Inf", "Infinity1",
    "{} x", "{}{}", '{"é":}', '{"😀":1 "b"}', "// x", "{'v':1}", '{"v":1}\x00', "\x00", "\ufeff{}", '\ufeff\ufeff{"v":1}', '{"v":1}\r\n\t ', '\u00a0{"v":1}', '{"v":1}\u00a0', "\v{}",
    "<<[*30>><<]*30>>", "<<[*900>>", "<<[*3000>>", '<<{"a":*3000>>', "<<1*4300>>", "-<<1*4300>>", "<<1*4301>>", "[<<1*4301>>.0]", '{"x":<<9*4301>>,"v":}', '{"v":,"x":<<9*4301>>}',
    '{"v":[1,2,{"a":[{}]}]}', '{"v":1,"v":2}', '{"\\u0076":5}', '{"V":1}',
]
ENCODED: List[bytes] = [
    b"\xff", b"\xc3", b"{\"v\":\"\xed\xa0\x80\"}", b"\"\xf4\x90\x80\x80\"", b"\xc0\xaf", b"{\"v\":\xff}", b"\x00", b"\x00\x00", b"1\x00", b"1\x00\x00",
    *['{"v":"ä😀"}'.encode(e) for e in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig")],
    '{"v":"ä😀"}'.encode("utf-16-le")[:-1], '{"v":'.encode("utf-16-be"), '{"v":"😀",}'.encode("utf-32"), '{"v":"\ud800"}'.encode("utf-16-le", "surrogatepass"), b"\xff\xfe", b"\xff\xfe\x00\x00", b"\xef\xbb\xbf",
    b"\x00\x11\x00\x00" + '{"v":1}'.encode("utf-32-be"),
]
TYPES = ["", "application/json", "application/json; charset=utf-8", "application/JSON ; x", "application/problem+json", "application/vnd.a+JSON", "application/x-json", "application/jsonx", "application",
         "application/json/x", "json", "text/plain", "text/json", "text/x+json", "multipart/form-data", " application/json", ";", "/json", "application/+json", "application /json"]

# --- code completions -----------------------------------------------------------------------

FAMILIES = ["codegemma", "codegemma_2b", "codegemma_7b", "codellama", "codellama:code", "codellama_13b_code", "codestral", "codestral@2405", "mistral", "mistral_text", "mixtral", "mixtral_text",
            "mixtral_8x22b", "mixtral_8x22b_text", "deepseekcoder", "claude_3", "claude_3.5", "gpt", "qwen2p5-coder-7b", "llama3"]


class ModelProvider(str, enum.Enum):
    ANTHROPIC = "anthropic"
    VERTEX_AI = "vertex-ai"
    LITELLM = "litellm"
    MISTRALAI = "codestral"
    FIREWORKS = "fireworks_ai"


class CurrentFile(BaseModel):
    file_name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]
    language_identifier: Optional[Annotated[str, StringConstraints(max_length=255)]] = None
    content_above_cursor: Annotated[str, StringConstraints(max_length=100000)]
    content_below_cursor: Annotated[str, StringConstraints(max_length=100000)]


class Experiment(BaseModel):
    name: str
    variant: int


Label = Optional[Annotated[str, StringConstraints(max_length=50)]]


class Telemetry(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    model_engine: Label = None
    model_name: Label = None
    lang: Label = None
    experiments: Optional[List[Experiment]] = None
    requests: int
    accepts: int
    errors: int


class Context(BaseModel):
    type: Annotated[str, StringConstraints(max_length=1024)]
    name: Annotated[str, StringConstraints(max_length=1024)]
    content: Annotated[str, StringConstraints(max_length=500000)]


class Completion(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    project_path: Optional[Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]] = None
    project_id: Optional[int] = None
    current_file: CurrentFile
    model_provider: Optional[ModelProvider] = None
    model_name: Optional[Annotated[str, StringConstraints(strip_whitespace=True, max_length=50)]] = None
    model_endpoint: Optional[str] = None
    model_api_key: Optional[str] = None
    model_identifier: Optional[str] = None
    telemetry: conlist(Telemetry, max_length=10) = []
    stream: Optional[bool] = False
    choices_count: Optional[int] = 0
    context: conlist(Context, max_length=100) = []

    @field_validator("model_name")
    @classmethod
    def known(cls, value: Optional[str], info: ValidationInfo) -> Optional[str]:
        provider = info.data.get("model_provider")
        if provider and value not in FAMILIES:
            raise ValueError(f"model {value} is not supported by use case {cls.use_case} and provider {provider.value}")
        return value

    use_case: ClassVar[str] = "code completions"


class CompletionV1(Completion):
    prompt_version: Literal[1]


class CompletionV2(Completion):
    prompt_version: Literal[2]
    prompt: Optional[str] = None


class CompletionV3(Completion):
    prompt_version: Literal[3]
    prompt: Optional[List[Message]] = None


endpoint("completions", Annotated[Union[CompletionV1, CompletionV2, CompletionV3], Body(discriminator="prompt_version")])


class Generation(Completion):
    prompt_id: Optional[str] = None

    use_case: ClassVar[str] = "code generations"


class GenerationV1(Generation):
    prompt_version: Literal[1]


class GenerationV2(Generation):
    prompt_version: Literal[2]
    prompt: str


class GenerationV3(Generation):
    prompt_version: Literal[3]
    prompt: List[Message]


endpoint("generations", Annotated[Union[GenerationV1, GenerationV2, GenerationV3], Body(discriminator="prompt_version")])

# --- components of versions 3 and 4 ----------------------------------------------------------


class CodeEditorComponents(str, enum.Enum):
    COMPLETION = "code_editor_completion"
    GENERATION = "code_editor_generation"
    CONTEXT = "code_context"


class EditorProvider(str, enum.Enum):
    VERTEX_AI = "vertex-ai"
    ANTHROPIC = "anthropic"


class Source(BaseModel):
    source: Annotated[str, StringConstraints(max_length=255)]
    version: Annotated[str, StringConstraints(max_length=255)]


class Editor(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    file_name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]
    content_above_cursor: Annotated[str, StringConstraints(max_length=100000)]
    content_below_cursor: Annotated[str, StringConstraints(max_length=100000)]
    language_identifier: Optional[Annotated[str, StringConstraints(max_length=255)]] = None
    model_provider: Optional[EditorProvider] = None
    stream: Optional[bool] = False


class EditorCompletion(Editor):
    choices_count: Optional[int] = 0
    model_name: Optional[str] = None
    prompt: Optional[str | list[Message]] = None


class EditorGeneration(Editor):
    prompt: Optional[Annotated[str, StringConstraints(max_length=400000)]] = None
    prompt_id: Optional[str] = None
    prompt_enhancer: Optional[dict] = None


class ContextPayload(BaseModel):
    type: Annotated[str, StringConstraints(max_length=1024)]
    name: Annotated[str, StringConstraints(max_length=1024)]
    content: Annotated[str, StringConstraints(max_length=100000)]


class CompletionComponent(BaseModel):
    type: Literal[CodeEditorComponents.COMPLETION]
    metadata: Optional[Source] = None
    payload: EditorCompletion


class GenerationComponent(BaseModel):
    type: Literal[CodeEditorComponents.GENERATION]
    metadata: Optional[Source] = None
    payload: EditorGeneration


class ContextComponent(BaseModel):
    type: Literal[CodeEditorComponents.CONTEXT]
    metadata: Optional[Source] = None
    payload: ContextPayload


Component = Annotated[Union[CompletionComponent, GenerationComponent, ContextComponent], Field(discriminator="type")]


class Components(BaseModel):
    prompt_components: conlist(Component, min_length=1, max_length=100)

    @field_validator("prompt_components")
    @classmethod
    def first_asks(cls, value: Any) -> Any:
        """The original has no such rule: it fails with 500."""
        if value[0].type == CodeEditorComponents.CONTEXT:
            raise ValueError("the first component should be a code_editor_completion or a code_editor_generation")
        return value


endpoint("components", Components)

VALUES = ["null", "true", "0", "1", "2", "-1", "1.0", "1.5", "NaN", "1e999", '""', '"x"', '"1"', '" 7 "', '"yes"', r'"\ud800"', "[]", "{}", "[1]", '{"a":"b"}', "123456789012345678901234567890"]
POOL = {
    "model_provider": ['"litellm"', '"anthropic"', '"vertex-ai"', '"codestral"', '"fireworks_ai"', '"LiteLLM"'],
    "model_name": quote(FAMILIES) + ['"  mistral "', '"nope"', '"it\'s"', '"<<x*50>>"', '"<<x*51>>"'],
    "prompt_version": ["1", "2", "3", "9", '"2"', "2.0", "true"],
    "prompt": ['"a prompt"', '[{"role":"user","content":"x"}]', '[{"role":"robot","content":1},{}]', "[]"],
    "telemetry": ['[{"requests":1,"accepts":"2","errors":0}]', "[{}]", "[{},1]", "[" + ",".join(["{}"] * 11) + "]",
                  '[{"requests":1.5,"accepts":1,"errors":null,"lang":"<<x*51>>","experiments":[{"name":"a","variant":"x"},null]}]',
                  '[{"requests":1,"accepts":1,"errors":1,"experiments":[{"name":"a","variant":"1"}],"model_engine":"<<x*50>>","model_name":"é"}]'],
    "context": ['[{"type":"file","name":"a.rb","content":"x"}]', "[{}]", '[{"type":"<<x*1025>>","name":"<<x*1024>>","content":1}]', "[" + ",".join(["{}"] * 101) + "]", '[{"type":"snippet","name":null,"content":"<<x*500001>>"}]'],
    "current_file": ["{}", '{"file_name":"a"}'],
    "file_name": ['"<<x*255>>"', '"<<x*256>>"', '"  <<x*255>>  "', '" a.rb "'],
    "language_identifier": ['"<<x*256>>"', '"go"'],
    "content_above_cursor": ['"<<ä*100000>>"', '"<<ä*100001>>"'],
    "content_below_cursor": ['"<<x*100001>>"', '"\\ud83d\\ude00"'],
    "stream": ["true", "false", '"on"', '"maybe"'],
    "project_path": ['"<<x*256>>"', '" a/b "'],
}
FILE_FIELDS = ["file_name", "language_identifier", "content_above_cursor", "content_below_cursor"]


def random_body(r: random.Random, *more: Any) -> str:
    """Returns the text of a body: a right one with a few members changed, dropped or doubled."""
    file = [("file_name", '"lib/greeter.rb"'), ("language_identifier", '"ruby"'), ("content_above_cursor", '"def x\\n  "'), ("content_below_cursor", '"\\nend"')]
    body = [("prompt_version", r.choice(["1", "2", "2", "3"])), ("project_path", '"tools/greeter"'), ("project_id", "42"), ("current_file", ""), ("model_provider", '"litellm"'), ("model_name", '"codestral"'),
            ("model_endpoint", '"http://m.example/v1"'), ("model_identifier", "null"), ("prompt", "null"), ("telemetry", '[{"requests":3,"accepts":1,"errors":0}]'), ("stream", "false"), ("choices_count", "0"), ("context", "[]"), *more]

    def change(members: list) -> None:
        what, i = r.random(), r.randrange(len(members))
        name = members[i][0]
        value = r.choice(POOL[name]) if name in POOL and r.random() < 0.6 else r.choice(VALUES)
        if what < 0.2:
            del members[i]
        elif what < 0.3:
            members.insert(r.randrange(len(members)), (name, value))
        elif what < 0.35:
            members.append((r.choice(["intent", "generation_type", "user_instruction", "Stream", "prompt_version "]), value))
        else:
            members[i] = (name, value)

    replaced = r.random() < 0.08
    if not replaced:
        body = [m for m in body if m[0] in ("prompt_version", "current_file") or r.random() < 0.6]
    for _ in range(r.choice([0, 1, 1, 1, 2, 2, 3, 5])):
        change(body if r.random() < 0.7 else file)
        if not body or not file:
            break
    inner = "{" + ",".join(f'"{k}":{v}' for k, v in file) + "}"
    return broken(r, "{" + ",".join(f'"{k}":{v or inner}' for k, v in body) + "}")


def broken(r: random.Random, text: str) -> str:
    """Returns the text, sometimes with its syntax broken."""
    if r.random() < 0.12:
        i = r.randrange(len(text))
        text = r.choice([text[:i], text[:i] + text[i + 1:], text[:i] + r.choice('{}[]",:\\x0-.eN\n ') + text[i:]])
    return text


def random_generation(r: random.Random) -> str:
    return random_body(r, ("prompt_id", r.choice(['"code_suggestions/generations"', "null"])))


COMPONENT_POOL = {
    "type": quote(["code_editor_completion", "code_editor_generation", "code_context", "Code_Context", "file"]),
    "metadata": ['{"source":"x","version":"1"}', '{"source":"<<x*256>>"}', "{}"],
    "model_provider": quote(["vertex-ai", "anthropic", "litellm"]),
    "prompt": ['"a prompt"', '"<<x*400001>>"', '[{"role":"user","content":"x"}]', '[{"role":"robot","content":1},{}]', "[]"],
    "prompt_enhancer": ["{}", '{"user_instruction":"x","a":[1,{}]}', "[]"],
    "name": ['"<<x*1025>>"'], "content": ['"<<x*100001>>"'],
    **{name: POOL[name] for name in FILE_FIELDS + ["stream"]},
}


def random_components(r: random.Random) -> str:
    """Returns the text of a body with one to three components, some members changed."""
    def change(members: list) -> None:
        what, i = r.random(), r.randrange(len(members))
        name = members[i][0]
        value = r.choice(COMPONENT_POOL[name]) if name in COMPONENT_POOL and r.random() < 0.6 else r.choice(VALUES)
        if what < 0.25:
            del members[i]
        elif what < 0.35:
            members.insert(r.randrange(len(members)), (name, value))
        else:
            members[i] = (name, value)

    def one(kind: str) -> str:
        file = [("file_name", '"a.go"'), ("content_above_cursor", '"x := "'), ("content_below_cursor", '"\\n"')]
        payload = {
            "code_editor_completion": file + [("language_identifier", '"go"'), ("model_provider", "null"), ("stream", "false"), ("choices_count", "1"), ("model_name", "null"), ("prompt", r.choice(['"x"', '[{"role":"user","content":"x"}]', "null"]))],
            "code_editor_generation": file + [("prompt", '"write it"'), ("prompt_id", "null"), ("prompt_enhancer", '{"user_instruction":"x"}')],
            "code_context": [("type", '"file"'), ("name", '"b.go"'), ("content", '"package b"')],
        }[kind]
        members = [("type", f'"{kind}"'), ("metadata", '{"source":"x","version":"1"}'), ("payload", "")]
        for _ in range(r.choice([0, 0, 1, 1, 2, 3])):
            change(payload if r.random() < 0.7 else members)
            if not payload or not members:
                break
        inner = "{" + ",".join(f'"{k}":{v}' for k, v in payload) + "}"
        return "{" + ",".join(f'"{k}":{v or inner}' for k, v in members) + "}"

    kinds = ["code_editor_completion", "code_editor_generation", "code_context"]
    list_ = "[" + ",".join(one(r.choice(kinds[:2] if i == 0 else kinds)) for i in range(r.choice([1, 1, 2, 3]))) + "]"
    if r.random() < 0.1:
        list_ = r.choice(VALUES + ["[" + ",".join(["{}"] * 101) + "]", "[" + one("code_context") + "]"])
    return broken(r, '{"prompt_components":' + list_ + "}")


# --- asking ---------------------------------------------------------------------------------

async def ask(schema: str, content_type: Optional[str], body: bytes) -> Any:
    headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/" + schema, "raw_path": b"/" + schema.encode(), "root_path": "",
             "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    sent: List[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    answer = json.loads(b"".join(m.get("body", b"") for m in sent))
    return sent[0]["status"], answer


def expand(text: str) -> str:
    return re.sub(r"<<(.+?)\*(\d+)>>", lambda m: m[1] * int(m[2]), text)


def without_long_inputs(answer: Any) -> Any:
    for e in answer:
        if len(dumps(e["input"])) > 300:
            del e["input"]
    return answer


def case(schema: str, content_type: Optional[str], body: Union[str, bytes]) -> str:
    raw = expand(body).encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    status, answer = asyncio.run(ask(schema, content_type, raw))
    if status == 422:
        answer = without_long_inputs(answer["detail"])
    elif status == 200 and (len(dumps(answer)) > 300 or schema in ("generations", "components")):
        answer = None
    kept = body if isinstance(body, str) else {"base64": base64.b64encode(body).decode()}
    return dumps([schema, content_type, kept, status, answer])


def kinds() -> None:
    for name, (_, values) in KINDS.items():
        print(case(name, None, "{}"))
        for value in dict.fromkeys(values):
            print(case(name, None, '{"v":%s}' % value))
    for body in SYNTAX + ENCODED:
        print(case("any", None, body))
    for content_type in TYPES:
        print(case("any", content_type, '{"v":1}'))
        print(case("any", content_type, ""))


BODIES = {"completions": random_body, "generations": random_generation, "components": random_components}


def bodies(what: str, seed: int, count: int) -> None:
    r = random.Random(seed)
    seen = set()
    while len(seen) < count:
        body = BODIES[what](r)
        if body not in seen:
            seen.add(body)
            print(case(what, None, body))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["kinds", *BODIES])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    if args.what == "kinds":
        kinds()
    else:
        bodies(args.what, args.seed, args.count)

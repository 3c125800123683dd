"""Asks a gateway whose models fail, each in its way, and looks which exceptions the package openai makes of it.

    python exceptions.py URL KEY KEY_OF_ONE_REQUEST_A_MINUTE
"""

import sys

import openai

url, key, limited = sys.argv[1:]


def client(key):
    return openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)


def ask(model, stream, of=client(key)):
    answer = of.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}], stream=stream)
    return "".join(c.choices[0].delta.content or "" for c in answer) if stream else answer.choices[0].message.content


def fails(kind, status, type, code, call, param=None):
    try:
        call()
    except kind as e:
        got = (e.status_code, e.type, e.code, e.param)
        assert got == (status, type, code, param) and e.body["message"], (got, e.body)
        return e
    raise AssertionError((kind, "is not raised"))


for stream in (False, True):
    assert ask("fine", stream) == "Hello"
    e = fails(openai.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded", lambda: ask("busy", stream))
    assert e.response.headers["retry-after"] == "3", e.response.headers
    e = fails(openai.InternalServerError, 503, "service_unavailable_error", "model_not_ready", lambda: ask("closed", stream))
    assert int(e.response.headers["retry-after"]) > 0, e.response.headers
    fails(openai.InternalServerError, 500, "server_error", None, lambda: ask("broken", stream))
    fails(openai.UnprocessableEntityError, 422, "invalid_request_error", "prompt_refused", lambda: ask("poisonous", stream))
    fails(openai.NotFoundError, 404, "invalid_request_error", "model_not_found", lambda: ask("gpt-4", stream), "model")
    fails(openai.AuthenticationError, 401, "authentication_error", "invalid_api_key", lambda: ask("fine", stream, client("sk-aigw-wrong")))

pieces = []
try:
    for chunk in client(key).chat.completions.create(model="breaks", messages=[{"role": "user", "content": "Hi"}], stream=True):
        pieces.append(chunk.choices[0].delta.content)
except openai.APIError as e:
    assert "".join(p for p in pieces if p) == "Hel" and e.code == "grammar_leads_nowhere" and e.body["message"], (pieces, e.body)
else:
    raise AssertionError("a stream that breaks ends well")

assert ask("fine", False, client(limited)) == "Hello"
e = fails(openai.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded", lambda: ask("fine", False, client(limited)))
assert int(e.response.headers["retry-after"]) > 0, e.response.headers
print("openai", openai.__version__, "makes of all failures what it documents")

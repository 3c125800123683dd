"""Asks a gateway through LiteLLM's proxy, as GitLab's AI Gateway does where an administrator has put one between.

    python litellm_proxy.py URL KEY

The model is called smol. The configuration is that of GitLab's page "Set up a self-hosted large language model with
LiteLLM" (17.2), with this server in place of Ollama: the same names of models, each by another of LiteLLM's ways to
ask a server with OpenAI's API. Whatever is not as it should be ends in an exception.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import litellm

url, key = sys.argv[1], sys.argv[2]
providers = {"codegemma": "custom_openai", "mistral": "openai", "codestral": "text-completion-openai"}
marked = "<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>"
question = [{"role": "user", "content": "What is the capital of France?"}]


def configuration():
    """YAML is a superset of JSON."""
    params = {"api_base": url + "/v1", "api_key": key}
    return json.dumps({
        "model_list": [{"model_name": name, "litellm_params": {"model": provider + "/smol", **params}} for name, provider in providers.items()],
        "litellm_settings": {"telemetry": False},
    })


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def started(folder):
    (folder / "config.yaml").write_text(configuration())
    port = free_port()
    proxy = subprocess.Popen(
        [pathlib.Path(sys.executable).parent / "litellm", "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"],
        cwd=folder, stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT, env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    for _ in range(600):
        if proxy.poll() is not None:
            raise SystemExit((folder / "log").read_text())
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5).read()
            return proxy, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the proxy does not start:\n" + (folder / "log").read_text())


def pieces(stream, of):
    return "".join(of(chunk.choices[0]) or "" for chunk in stream)


def ask(base):
    common = {"api_base": base, "api_key": "none", "temperature": 0, "max_tokens": 12}
    direct = litellm.text_completion(model="text-completion-openai/smol", prompt=marked, api_base=url + "/v1", api_key=key, temperature=0, max_tokens=12)
    assert "a + b" in direct.choices[0].text, direct
    for name in providers:
        # A completion, as the gateway of 17.2 asks: markers in a prompt. By custom_openai the proxy wraps them in a message.
        whole = litellm.text_completion(model="text-completion-openai/" + name, prompt=marked, stop=["<|fim_prefix|>", "<|file_separator|>"], **common)
        assert "a + b" in whole.choices[0].text, (name, whole)
        # The same in a message, as that of 17.8 asks.
        wrapped = litellm.completion(model="custom_openai/" + name, messages=[{"role": "user", "content": marked}], **common)
        assert "a + b" in wrapped.choices[0].message.content, (name, wrapped)
        # None of a conversation's template is around the code.
        assert whole.usage.prompt_tokens == wrapped.usage.prompt_tokens == direct.usage.prompt_tokens, (name, whole, wrapped, direct)
        streamed = litellm.completion(model="custom_openai/" + name, messages=[{"role": "user", "content": marked}], stream=True, **common)
        assert "a + b" in pieces(streamed, lambda c: c.delta.content), name
    for name in ("codegemma", "mistral"):
        chat = litellm.completion(model="custom_openai/" + name, messages=question, **common).choices[0].message.content
        assert "France" in chat, (name, chat)
        streamed = litellm.completion(model="custom_openai/" + name, messages=question, stream=True, **common)
        assert "France" in pieces(streamed, lambda c: c.delta.content), name
    try:
        litellm.completion(model="custom_openai/mistral", messages=[{"role": "user", "content": "x " * 20000}], **common)
    except litellm.BadRequestError as e:  # the proxy knows why, and could ask another model
        assert "ContextWindowExceededError" in str(e), e
    else:
        raise AssertionError("a prompt that does not fit")


litellm.telemetry = False
with tempfile.TemporaryDirectory() as folder:
    proxy, base = started(pathlib.Path(folder))
    try:
        ask(base)
    finally:
        proxy.terminate()
        proxy.wait(30)
print("LiteLLM's proxy passes on what GitLab asks")

"""A local stand-in for AI providers, for `make run` without a key and for tests. Never imported by webapp.

`python -m simulator --port 8089`, then any key that begins with `sk-ant-demo`. Its answers are canned and say so.
It speaks Anthropic's Messages, OpenAI's Responses and chat completions, and Gemini's generateContent, each as the
provider does whose paths are called: `flavours/`. Keys with a flaw: `accounts.py`. Scripting an answer or a fault from
inside a message: `directives.py`. What tests can see and set from outside: `server.py`.
"""

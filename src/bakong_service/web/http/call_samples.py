"""How a program calls an operation: with curl, in Python and in TypeScript, as the page for people shows it."""

import json
import re
import shlex
from typing import Any

_HOST = "http://127.0.0.1:3002"


def curl(method: str, path: str, body: Any, *, needs_key: bool, keyed: bool) -> str:
    """Return a command for a shell. The API key is in the variable `KEY`. `path` may end with a query."""
    address = f"{_HOST}{_filled(path)}"
    lines = [f"curl {'' if method == 'GET' else f'-X {method} '}{shlex.quote(address)}"]
    lines += ['-H "Authorization: Bearer $KEY"'] if needs_key else []
    lines += ['-H "Idempotency-Key: $(openssl rand -hex 16)"'] if keyed else []
    if body is not None:
        written = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{written}'"]
    return " \\\n  ".join(lines)


def python(method: str, path: str, body: Any, *, needs_key: bool, keyed: bool) -> str:
    """Return the same with httpx."""
    headers = _members(needs_key, keyed, 'f"Bearer {key}"', "str(uuid4())", '"{name}": {value}')
    arguments = [f'"{_HOST}{_filled(path)}"', *([f"headers={{{headers}}}"] if headers else [])]
    arguments += [f"json={_python(body)}"] if body is not None else []
    call = f"httpx.{method.lower()}(\n    " + ",\n    ".join(arguments) + ",\n)"
    imports = "from uuid import uuid4\n\nimport httpx\n" if keyed else "import httpx\n"
    return f"{imports}\nanswer = {call}\nanswer.raise_for_status()"


def typescript(method: str, path: str, body: Any, *, needs_key: bool, keyed: bool) -> str:
    """Return the same with fetch."""
    headers = _members(needs_key, keyed, "`Bearer ${key}`", "crypto.randomUUID()", '"{name}": {value}')
    if body is not None:
        headers = ", ".join(filter(None, (headers, '"Content-Type": "application/json"')))
    options = [] if method == "GET" else [f'method: "{method}"']
    options += ["headers: {\n    " + headers.replace(', "', ',\n    "') + ",\n  }"] if headers else []
    options += [f"body: JSON.stringify({json.dumps(body, ensure_ascii=False)})"] if body is not None else []
    given = ",\n  ".join(options)
    told = f", {{\n  {given},\n}}" if options else ""
    return f'const answer = await fetch("{_HOST}{_filled(path)}"{told});\nif (!answer.ok) throw await answer.json();'


def _members(needs_key: bool, keyed: bool, key: str, unique: str, form: str) -> str:
    given = [("Authorization", key)] if needs_key else []
    given += [("Idempotency-Key", unique)] if keyed else []
    return ", ".join(form.format(name=name, value=value) for name, value in given)


def _filled(path: str) -> str:
    """Return a path with a word in capitals for each of its parameters."""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)


def _python(value: Any) -> str:
    words = {"true": "True", "false": "False", "null": "None"}
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r'"(?:[^"\\]|\\.)*"|\btrue\b|\bfalse\b|\bnull\b', lambda found: words.get(found[0], found[0]), text)

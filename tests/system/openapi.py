# SPDX-License-Identifier: BSD-3-Clause
"""
docs/api.json against a server: what it answers is what is described, no more and no less.

Only what that file uses of OpenAPI 3.0 and JSON Schema is understood; anything else fails.
"""
import json
import pathlib

import lab

FILE = pathlib.Path(__file__).resolve().parents[2] / "docs/api.json"
METHODS = {"get", "put", "post", "delete"}
KEYWORDS = {"type", "nullable", "properties", "required", "items", "enum", "description", "minimum",
            "maximum", "maxLength", "additionalProperties", "example", "default", "$ref"}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


class Description:
    def __init__(self):
        self.root = json.loads(FILE.read_text(encoding="utf-8"))
        self.seen = set()

    def operations(self):
        """{(method, path)} of everything that is described."""
        return {(method.upper(), path) for path, item in self.root["paths"].items()
                for method in item if method in METHODS}

    def check(self, method, path, status, kind, body):
        """One answer to `method` of the described `path`."""
        where = f"{method} {path} {status}"
        responses = self.root["paths"][path][method.lower()]["responses"]
        lab.expect(str(status) in responses, f"{where} is not described")
        response = self._resolve(responses[str(status)])
        self.seen.add((method, path))
        content = response.get("content")
        if not content:
            lab.expect(not body, f"{where} has a body: {body!r}")
            return
        lab.expect(list(content) == [kind], f"{where} is {kind}")
        if kind == "application/json":
            self._match(content[kind]["schema"], json.loads(body), where)

    def _resolve(self, node):
        while "$ref" in node:
            target = self.root
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def _match(self, schema, value, where):
        schema = self._resolve(schema)
        lab.expect(set(schema) <= KEYWORDS, f"{where}: not understood: {set(schema) - KEYWORDS}")
        if value is None:
            lab.expect(schema.get("nullable"), f"{where} is null")
            return
        kind = TYPES[schema["type"]]
        lab.expect(isinstance(value, kind) and (kind is bool or not isinstance(value, bool)),
                   f"{where} is no {schema['type']}: {value!r}")
        lab.expect(value in schema.get("enum", [value]), f"{where} is {value!r}")
        if kind is list:
            for number, item in enumerate(value):
                self._match(schema["items"], item, f"{where}[{number}]")
        if kind is int:
            lab.expect(schema.get("minimum", value) <= value <= schema.get("maximum", value),
                       f"{where} is {value}")
        if kind is dict:
            self._match_object(schema, value, where)

    def _match_object(self, schema, value, where):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", False)
        for name in schema.get("required", []):
            lab.expect(name in value, f"{where}: no {name}")
        for name, item in value.items():
            lab.expect(name in known or others, f"{where}: {name} is not described")
            self._match(known.get(name, others), item, f"{where}.{name}")

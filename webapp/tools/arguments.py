"""A model's arguments held against the tool's schema: what is missing, unknown or out of range, in words it can act on.

The schemas are flat JSON Schema objects. What is checked of a property: type, enum, format date, pattern, minLength,
maxLength, minimum, exclusiveMinimum, maximum, and in an array the items' type and enum. Models send what is meant in
another spelling: null for nothing, 7.0 or "7" for 7, 50 for "50". That is taken; nothing is taken that could be meant
in two ways ("1,200").
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from webapp.ads.foreign import fence
from webapp.llm.blocks import Json
from webapp.tools import ToolError

NUMBER = re.compile(r"-?\d+(\.\d+)?")


def checked(schema: Json, given: Json) -> dict[str, Any]:
    """The arguments with the schema's types and defaults; what was null is left out. Raises ToolError, which names
    every field that is wrong."""
    properties: Mapping[str, Json] = schema.get("properties", {})
    wrong = [_unknown(name, properties) for name in given if name not in properties]
    found: dict[str, Any] = {}
    for name, property in properties.items():
        value = given.get(name)
        if value is None or value == "":
            if name in schema.get("required", ()):
                wrong.append(f"{name} is missing: {_allowed(property)}")
            elif "default" in property:
                found[name] = property["default"]
            continue
        try:
            found[name] = _value(value, property)
        except ValueError as error:
            wrong.append(f"{name} is {_shown(value)}, but {error}")
    if wrong:
        raise ToolError("Not called, because of its arguments. " + " ".join(f"{each}." for each in wrong))
    return found


def _unknown(name: str, properties: Mapping[str, Json]) -> str:
    near = difflib.get_close_matches(name, properties, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(properties)}"
    return f"{_shown(name)} is no argument of this tool; {hint}"


def _value(value: Any, property: Json) -> Any:
    """The value in its type. Raises ValueError with what is allowed."""
    match property["type"]:
        case "string":
            return _string(value, property)
        case "integer" | "number" as kind:
            return _number(value, property, whole=kind == "integer")
        case "boolean":
            return _boolean(value)
        case "array":
            return [_value(item, property["items"]) for item in _list(value, property)]
        case _:
            return _object(value)


def _string(value: Any, property: Json) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if not isinstance(value, str):
        raise ValueError(_allowed(property))
    text = value.strip()
    too_long = len(text) > property.get("maxLength", len(text)) or len(text) < property.get("minLength", 0)
    unlike = "pattern" in property and not re.search(property["pattern"], text)
    if too_long or unlike or ("enum" in property and text not in property["enum"]):
        raise ValueError(_allowed(property))
    if property.get("format") == "date":
        _date(text, property)
    return text


def _date(text: str, property: Json) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(_allowed(property)) from None


def _number(value: Any, property: Json, *, whole: bool) -> int | float:
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(_allowed(property))
    if whole and value != int(value):
        raise ValueError(_allowed(property))
    too_low = value < property.get("minimum", value) or value <= property.get("exclusiveMinimum", value - 1)
    if too_low or value > property.get("maximum", value):
        raise ValueError(_allowed(property))
    return int(value) if whole else value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("it must be true or false")


def _list(value: Any, property: Json) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if len(found) > property.get("maxItems", len(found)):
        raise ValueError(_allowed(property))
    return found


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("it must be an object")
    return dict(value)


def _allowed(property: Json) -> str:
    """What the schema allows, as the end of a sentence."""
    if "enum" in property:
        return f"it must be one of {', '.join(map(str, property['enum']))}"
    if property.get("format") == "date":
        return "it must be a day that exists, as YYYY-MM-DD"
    match property["type"]:
        case "string":
            return f"it must be a text: {property.get('description', '')}".rstrip(": .")
        case "array":
            return f"it must be a list, at most {property['maxItems']} long" if "maxItems" in property else "a list"
        case "object":
            return "it must be an object"
        case kind:
            return f"it must be {'a whole number' if kind == 'integer' else 'a number'}{_range(property)}"


def _range(property: Json) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    return "".join(f" {word} {property[bound]}" for bound, word in words.items() if bound in property)


def _shown(value: Any) -> str:
    return fence(value if isinstance(value, str) else repr(value))

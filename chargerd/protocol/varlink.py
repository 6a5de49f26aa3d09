"""Varlink: the table as Varlink sees it: interface text, the service's own two methods, and the check of parameters.

Interface text: https://varlink.org/Interface-Definition   Service: https://varlink.org/Service
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chargerd import __version__
from chargerd.protocol.framing import INTERFACE, SERVICE, CallError
from chargerd.protocol.table import ERRORS, METHODS, Method
from chargerd.protocol.types import TYPES, Fields

ERROR_FIELDS: Fields = {
    "message": ("string", "what did not happen"),
    "means": ("string", "what that means for charging now"),
    "hint": ("string", "what to do"),
    "known": ("?[]string", "names that there are, where a name was wrong"),
}

SERVICE_TEXT = """\
# The Varlink service interface: what is served here.
interface org.varlink.service

method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)

error MethodNotFound (method: string)

error MethodNotImplemented (method: string)

error InvalidParameter (parameter: string)
"""

_PLAIN: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "string": (str,),
    "object": (dict,),
}


def interface_text() -> str:
    """The interface definition of io.chargerd."""
    parts = ["# What chargerd can be asked, and told. `control` methods are answered on the control socket only."]
    parts.append(f"interface {INTERFACE}")
    parts += [f"type {name} {_struct(fields)}" for name, fields in TYPES.items()]
    parts += [_method_text(method) for method in METHODS.values()]
    parts += [f"# {about}\nerror {name} {_struct(ERROR_FIELDS)}" for name, about in ERRORS.items()]
    return "\n\n".join(parts) + "\n"


def _method_text(method: Method) -> str:
    kind = f"{method.kind}{', more' if method.streams else ''}"
    return f"# {method.about} ({kind})\nmethod {method.name}{_struct(method.parameters)} -> {_struct(method.reply)}"


def _struct(fields: Fields) -> str:
    if not fields:
        return "()"
    rows = [f"  # {meaning}\n  {name}: {kind}" for name, (kind, meaning) in fields.items()]
    return "(\n" + ",\n".join(rows) + "\n)"


def service_answer(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of org.varlink.service. Raises `CallError`."""
    if method == f"{SERVICE}.GetInfo":
        return {
            "vendor": "chargerd",
            "product": "chargerd",
            "version": __version__,
            "url": "https://varlink.org",
            "interfaces": [SERVICE, INTERFACE],
        }
    if method != f"{SERVICE}.GetInterfaceDescription":
        raise no_method(method)
    interface = parameters.get("interface")
    if not isinstance(interface, str):
        raise invalid("interface", "interface is a string")
    if interface not in (SERVICE, INTERFACE):
        raise CallError(f"{SERVICE}.InterfaceNotFound", f"no interface {interface}", interface=interface)
    return {"description": interface_text() if interface == INTERFACE else SERVICE_TEXT}


def no_method(method: str) -> CallError:
    """The error for a method that there is not."""
    return CallError(
        f"{SERVICE}.MethodNotFound", f"there is no method {method[:80]}", "Nothing was changed.", method=method[:80]
    )


def invalid(parameter: str, message: str) -> CallError:
    """The error for a parameter that is unknown, missing or of the wrong type."""
    return CallError(f"{SERVICE}.InvalidParameter", message, "Nothing was changed.", parameter=parameter)


def checked(method: Method, parameters: object) -> dict[str, Any]:
    """The parameters with every optional one present (None if left out). Raises `CallError` InvalidParameter."""
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise invalid("parameters", "parameters is an object")
    for name in parameters:
        if name not in method.parameters:
            known = ", ".join(method.parameters)
            raise invalid(name[:80], f"{method.name} has no parameter {name[:80]}; it has {known}")
    for name, (kind, _) in method.parameters.items():
        if not _fits(parameters.get(name), kind):
            raise invalid(name, f"parameter {name} of {method.name} must be {described(kind)}")
    return {name: parameters.get(name) for name in method.parameters}


def _fits(value: object, kind: str) -> bool:
    if kind.startswith("?"):
        return value is None or _fits(value, kind[1:])
    if kind.startswith("[]"):
        return isinstance(value, list) and all(_fits(item, kind[2:]) for item in value)
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, _PLAIN[kind])


def described(kind: str) -> str:
    """A Varlink type in words."""
    if kind.startswith("?"):
        return f"{described(kind[1:])}, or left out"
    if kind.startswith("[]"):
        return f"an array, each {described(kind[2:])}"
    return {"bool": "true or false", "int": "a whole number", "float": "a number", "object": "an object"}.get(
        kind, "a string"
    )

"""The protoc plugin that buf runs: a CodeGeneratorRequest on standard input, a response on standard output."""

from __future__ import annotations

import sys

from google.protobuf.compiler import plugin_pb2

from autopilot_schema import model, openapi, python


def respond(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """All generated files, or the sentence that says which rule of the profile is broken."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    try:
        schema = model.read(request.proto_file, request.file_to_generate)
        files = python.modules(schema) | {"openapi.json": openapi.document(schema)}
    except model.SchemaError as error:
        response.error = str(error)
        return response
    for name, content in sorted(files.items()):
        response.file.add(name=name, content=content)
    return response


if __name__ == "__main__":
    asked = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(respond(asked).SerializeToString())

"""Samples of what surrounds a connection: how things are called (HAProxy manual, sections 7.3.2 and 7.3.3)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.ruletree import Kind
from fastlb.config.sampletypes import Fetch

_TEXT, _NUMBER = Fetch(Kind.TEXT), Fetch(Kind.INTEGER)

IDENTITY = {
    "fe_id": Keyword(_NUMBER, "", "id of the frontend"),
    "fe_name": Keyword(_TEXT, "", "name of the frontend"),
    "fe_defbe": Keyword(_TEXT, "", "name of the frontend's 'default_backend'"),
    "be_id": Keyword(_NUMBER, "", "id of the backend, or of the frontend while none is chosen"),
    "be_name": Keyword(_TEXT, "", "name of the backend, or of the frontend while none is chosen"),
    "srv_id": Keyword(_NUMBER, "", "id of the server"),
    "srv_name": Keyword(_TEXT, "", "name of the server"),
    "so_id": Keyword(_NUMBER, "", "id of the address that the client connected to"),
    "so_name": Keyword(_TEXT, "", "what its 'bind' line says as 'name'"),
}
SURROUNDINGS = {**IDENTITY}

OF_BACKEND = frozenset({"be_id", "be_name"})
OF_SERVER = frozenset({"srv_id", "srv_name"})

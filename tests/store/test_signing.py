"""Signing keys: who has one signs and verifies, and nobody sees it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.store import SigningKeys, Store
from tests.store.samples import fill, make_entry

FIRST, SECOND = "first-key-0123456789", "second-key-0123456789"


def test_the_first_key_signs_and_all_verify() -> None:
    old, both = SigningKeys.from_text(FIRST), SigningKeys.from_text(f"{SECOND},\n {FIRST}")
    assert both.verify("entry", b"data", old.sign("entry", b"data"))
    assert not old.verify("entry", b"data", both.sign("entry", b"data"))


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", "\ud800"])
def test_what_is_no_signature_is_none(signature: str) -> None:
    assert not SigningKeys.from_text(FIRST).verify("entry", b"data", signature)


def test_a_signature_is_of_its_bytes_and_kind() -> None:
    keys = SigningKeys.from_text(FIRST)
    signature = keys.sign("entry", b"data")
    assert not keys.verify("entry", b"Data", signature)
    assert not keys.verify("memo", b"data", signature)


@pytest.mark.parametrize("text", ["", " ,\n"])
def test_without_keys_nothing_is_signed(text: str) -> None:
    keys = SigningKeys.from_text(text)
    assert (bool(keys), keys.sign("entry", b"data")) == (False, "")


def test_a_short_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 characters") as caught:
        SigningKeys.from_text("short-secret")
    assert "short-secret" not in str(caught.value)


def test_keys_are_not_shown_and_do_not_travel() -> None:
    keys = SigningKeys.from_text(FIRST)
    assert FIRST not in repr(keys)
    with pytest.raises(TypeError):
        pickle.dumps(keys)


def test_with_a_key_unsigned_entries_here_do_not_answer(tmp_path: Path) -> None:
    (entry,) = fill(Store(tmp_path), "a")
    found, (problem,) = Store(tmp_path, SigningKeys.from_text(FIRST)).find_entries(entry.key)
    assert (found, problem.is_refused) == ([], True)


def test_a_signed_entry_takes_the_place_of_the_unsigned_one(tmp_path: Path) -> None:
    fill(Store(tmp_path), "a")
    store = Store(tmp_path, SigningKeys.from_text(FIRST))
    (entry,) = fill(store, "a")
    ((found,), problems) = store.find_entries(entry.key)
    assert (replace(found, signature=""), problems) == (entry, [])


def test_a_key_changes_nothing_of_what_is_stored_beside_the_signature() -> None:
    entry = make_entry("0" * 64)
    signed = replace(entry, signature="s")
    assert signed.to_signable() == entry.to_signable()
    assert b"signature" not in entry.to_bytes()

"""Channels brought behind the steps by a reshape, and by transpose."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "channels_brought_last_by_reshape")


def silent():
    return told("preparation_healthy.txt", "channels_brought_last_by_transpose")

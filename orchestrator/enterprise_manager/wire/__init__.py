"""What goes over the wire, as values: requests out, records in.

Law of this folder: pure `def`; no `await`, no socket, no clock, no log. Whatever cannot be read raises
`Unreadable`, with a cause that names elements and never quotes what came (it may hold a secret).
Element and attribute names are those of the Enterprise Manager web API reference.
"""

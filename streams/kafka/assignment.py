"""A group member's assignment, as the clients of a group write it for each other."""

import struct


def partitions_in(assignment: bytes) -> set[int]:
    """Return the partitions in an assignment of Kafka's consumer protocol, of all its topics.

    Examples
    --------
    >>> of_a_topic = struct.pack(">h2s", 2, b"hi") + struct.pack(">iii", 2, 7, 1)
    >>> sorted(partitions_in(struct.pack(">hi", 3, 1) + of_a_topic + struct.pack(">i", 0)))
    [1, 7]
    >>> partitions_in(b"")
    set()
    """
    found = set[int]()
    if not assignment:
        return found
    _version, topics = struct.unpack_from(">hi", assignment)
    place = struct.calcsize(">hi")
    for _ in range(topics):
        (name_bytes,) = struct.unpack_from(">h", assignment, place)
        place += struct.calcsize(">h") + name_bytes
        (count,) = struct.unpack_from(">i", assignment, place)
        partitions = f">{count}i"
        found.update(struct.unpack_from(partitions, assignment, place + struct.calcsize(">i")))
        place += struct.calcsize(">i") + struct.calcsize(partitions)
    return found

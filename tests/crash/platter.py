"""Disks as a loss of power may leave them, made from the record of a run (tests/faults/record.h).

A disk is what was flushed, and of what was not, anything: none of it, all, some writes without those
before them, some sectors of a write, a name that is there already or not yet. The one promise that is
taken from a file system is fsync's: of a file its bytes and its size, of a directory its names. What
overwrites a part of a sector leaves the rest of it as it was, as SQLite expects (POWERSAFE_OVERWRITE).

The parts: need_records · read_record · Platter (play, disks) · Disk (lay).
"""

import hashlib
import os
import platform
import random
import struct

from harness import TLS, Skip

ENTRY = struct.Struct("<IIIIQQII")  # struct record_entry
MAGIC = 0x52454344
SECTOR = 512


class Entry:
    __slots__ = ("kind", "who", "path", "inode", "offset", "data", "end")


def need_records():
    """As tests/faults/record.c has it."""
    if platform.libc_ver()[0] != "glibc" or struct.calcsize("P") != 8:
        raise Skip("calls are recorded with glibc on 64 bits alone")
    if TLS:
        raise Skip("answers can't be recognised through TLS")


def read_record(path):
    """Its entries; .end is the length of the record with each."""
    with open(path, "rb") as file:
        data = file.read()
    entries, at = [], 0
    while at < len(data):
        path_len, data_len, pid, tid, inode, offset, kind, magic = ENTRY.unpack_from(data, at)
        assert magic == MAGIC, "no record at %d" % at
        entry = Entry()
        entry.kind, entry.who, entry.inode, entry.offset = chr(kind), (pid, tid), inode, offset
        at += ENTRY.size
        entry.path = data[at:at + path_len].decode()
        entry.data = data[at + path_len:at + path_len + data_len]
        at += path_len + data_len
        entry.end = at
        entries.append(entry)
    return entries


class File:
    """One inode: what is on the disk for sure, and what was done to it since, in order."""

    __slots__ = ("inode", "durable", "pending")

    def __init__(self, inode, durable=b""):
        self.inode, self.durable, self.pending = inode, bytearray(durable), []


def apply(content, entry):
    if entry.kind == "t":
        if entry.offset < len(content):
            del content[entry.offset:]
        else:
            content.extend(bytes(entry.offset - len(content)))
        return
    if entry.offset > len(content):
        content.extend(bytes(entry.offset - len(content)))
    content[entry.offset:entry.offset + len(entry.data)] = entry.data


def torn(entry, dice):
    """Some sectors of a write."""
    out, at, end = [], entry.offset, entry.offset + len(entry.data)
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        if dice.random() < 0.5:
            part = Entry()
            part.kind, part.offset, part.data = "w", at, entry.data[at - entry.offset:until - entry.offset]
            out.append(part)
        at = until
    return out


class Disk:
    """Names and contents of one folder."""

    def __init__(self, what, files):
        self.what, self.files = what, files

    def digest(self):
        sums = hashlib.md5()
        for name in sorted(self.files):
            sums.update(b"%s %d\n" % (name.encode(), len(self.files[name])))
            sums.update(self.files[name])
        return sums.digest()

    def lay(self, folder):
        """Writes it there; what was there is gone."""
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        for name, content in self.files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)


class Platter:
    """One folder's disk while the record is played."""

    def __init__(self, folder):
        """What lies in the folder now is on the disk."""
        self.folder, self.flushes, self.begun = folder, 0, {}
        self.names = {}    # as they are now
        self.durable = {}  # as the disk has them for sure
        self.moves = []    # what became of names since the folder was flushed: (names gone, {name: File})
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not name.endswith("-shm"):
                with open(path, "rb") as file:
                    self.durable[name] = File(os.stat(path).st_ino, file.read())
        self.names.update(self.durable)

    def _name(self, path):
        folder, name = os.path.split(path)
        return name if folder == self.folder else None

    def _file(self, name, inode):
        """By its name now. Nobody has told when it was made: now."""
        file = self.names.get(name)
        if file is None or file.inode != inode:
            file = self.names[name] = File(inode)
            self.moves.append(((), {name: file}))
        return file

    def play(self, entry):
        """Takes one entry in."""
        if entry.kind in "wt":
            name = self._name(entry.path)
            if name is not None:
                self._file(name, entry.inode).pending.append(entry)
        elif entry.kind == "b":
            name = self._name(entry.path)
            if entry.path == self.folder:
                self.begun[entry.who] = (None, len(self.moves))
            elif name is not None:
                file = self._file(name, entry.inode)
                self.begun[entry.who] = (file, len(file.pending))
        elif entry.kind == "s":
            self._flushed(entry)
        elif entry.kind in "rlu":
            self._moved(entry)

    def _flushed(self, entry):
        file, count = self.begun.pop(entry.who, (None, 0))
        self.flushes += 1
        if file is not None:
            for one in file.pending[:count]:
                apply(file.durable, one)
            del file.pending[:count]
        elif entry.path == self.folder:
            for move in self.moves[:count]:
                self._move(self.durable, move)
            del self.moves[:count]

    @staticmethod
    def _move(names, move):
        for name in move[0]:
            names.pop(name, None)
        names.update(move[1])

    def _moved(self, entry):
        name = self._name(entry.path)
        if name is None or name not in self.names:
            return
        if entry.kind == "u":
            move = ((name,), {})
        else:
            to = self._name(entry.data.decode())
            move = ((name,) if entry.kind == "r" else (), {to: self.names[name]} if to else {})
        self._move(self.names, move)
        self.moves.append(move)

    # What a loss of power leaves.

    def _disk(self, what, moved, choose):
        """moved: which of the moves are on the disk. choose(file): what of its pending is."""
        names, contents = dict(self.durable), {}
        for keep, move in zip(moved, self.moves):
            if keep:
                self._move(names, move)
        for name, file in names.items():
            content = bytearray(file.durable)
            for entry in choose(file):
                apply(content, entry)
            contents[name] = bytes(content)
        return Disk(what, contents)

    def disks(self, dice, subsets):
        """Disks as they may be left now: nothing, everything, the last, all but the last or but one, and
        so many with anything. What is lost of the names and of the bytes is lost apart."""
        moves, all_of = len(self.moves), lambda file: file.pending
        never, always = [False] * moves, [True] * moves
        yield self._disk("nothing", never, lambda file: [])
        yield self._disk("everything", always, all_of)
        if moves:
            yield self._disk("all bytes, no names", never, all_of)
            yield self._disk("all names, no bytes", always, lambda file: [])
        if not any(file.pending for file in self.names.values()):
            for _ in range(min(subsets, 2 * moves)):
                yield self._disk("some names", [dice.random() < 0.5 for _ in range(moves)], all_of)
            return
        yield self._disk("the last alone", always, lambda file: file.pending[-1:])
        yield self._disk("all but the last", always, lambda file: file.pending[:-1])
        for _ in range(subsets):
            # Some disks lose much, some little.
            chance = dice.choice((0.1, 0.5, 0.9))
            moved = [dice.random() < 0.5 for _ in range(moves)]
            yield self._disk("some", moved, lambda file: [e for e in file.pending if dice.random() < chance])
            yield self._disk("sectors", moved, lambda file: self._sectors(file, chance, dice))

    @staticmethod
    def _sectors(file, chance, dice):
        out = []
        for entry in file.pending:
            if entry.kind == "t" or dice.random() < 0.5:
                out += [entry] if dice.random() < chance else []
            else:
                out += torn(entry, dice)
        # Its size may be on the disk without its bytes, which are zeros then.
        size = bytearray(file.durable)
        for entry in file.pending:
            apply(size, entry)
        if dice.random() < 0.5:
            whole = Entry()
            whole.kind, whole.offset, whole.data = "t", len(size), b""
            out.append(whole)
        return out


def disks_of(platter, entries, dice, subsets, between=0.0):
    """(position in the record, Disk) for every moment at which something is flushed and at which an answer
    leaves, at the end, and for a part of what is between. Equal disks come once for each state of what
    was answered. platter: before them."""
    seen = set()
    for entry in entries:
        here = entry.kind in "bsaru" or dice.random() < between
        before = entry.kind in "bru"
        if here and before:
            yield from _new(platter, entry, dice, subsets, seen)
        platter.play(entry)
        if here and not before:
            yield from _new(platter, entry, dice, subsets, seen)
        if entry.kind == "a":
            seen.clear()
    if entries:
        yield from _new(platter, entries[-1], dice, subsets, seen)


def _new(platter, entry, dice, subsets, seen):
    for disk in platter.disks(dice, subsets):
        digest = disk.digest()
        if digest not in seen:
            seen.add(digest)
            yield entry.end, disk


def generator(*names):
    return random.Random("-".join(str(name) for name in names))

internal import Foundation
internal import Support

/// A fetched list of notes in a temporary file, and where in it each note stands. Notes are read one at a time.
struct NoteListFile: Sendable {
    private let file: TemporaryFile
    private let places: NotePlaces
    /// Notes listed again further on, or before, with a later time; by their index, that of the one that counts.
    private let overtaken: [Int: Int]

    var count: Int { places.count }

    /// How long a note's JSON is, by its index.
    func bytes(at index: Int) -> Int { places[index].count }

    /// Looks through the whole list once.
    ///
    /// - Throws: `NoteListScanner.Failure` when it is not a whole list, or lists more than `maximumNotes`;
    ///   `CancellationError`; `NoteSyncError` when the file can't be read.
    static func scan(_ file: TemporaryFile, maximumNotes: Int) async throws -> NoteListFile {
        try await workThrough(bytes: file.size()) { try NoteListFile(file, maximumNotes, $0) }
    }

    private init(_ file: TemporaryFile, _ maximumNotes: Int, _ cancellation: ThreadCancellation) throws {
        self.file = file
        var scanner = NoteListScanner()
        var places = NotePlaces()
        var offset = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            try cancellation.check()
            try scanner.feed(UnsafeRawBufferPointer(buffer)[..<count].rebased) { places.append($0) }
            guard places.count <= maximumNotes else { throw NoteListScanner.Failure.tooMany(maximumNotes) }
            offset += count
        }
        try scanner.finish()
        if let count = scanner.count, count != places.count {
            throw NoteListScanner.Failure.unexpected(
                "\"count\" says \(count), but there are \(places.count)",
                offset: offset
            )
        }
        self.places = places
        let identifiers = try Self.decoded(scanner.identifiers, places, file, cancellation)
        overtaken = try Self.overtaken(identifiers, places, file, cancellation)
    }

    /// The index at which the same note is listed with a later time, or for the first time with the same; nil if this
    /// one counts.
    func overtaking(_ index: Int) -> Int? { overtaken[index] }

    /// The same id may be written with escapes and without.
    private static func decoded(
        _ identifiers: [UInt64],
        _ places: NotePlaces,
        _ file: TemporaryFile,
        _ cancellation: ThreadCancellation
    ) throws -> [UInt64] {
        var decoded = identifiers
        for (index, identifier) in identifiers.enumerated() where identifier == IdentifierHash.escaped {
            try cancellation.check()
            decoded[index] = KeepNote.identity(try fields(of: places[index], in: file)).id.map(IdentifierHash.of) ?? 0
        }
        return decoded
    }

    /// Checks notes that may be listed twice, by a hash of their ids.
    private static func overtaken(
        _ identifiers: [UInt64],
        _ places: NotePlaces,
        _ file: TemporaryFile,
        _ cancellation: ThreadCancellation
    ) throws -> [Int: Int] {
        // Sorted rather than looked up in a table, which would take several times the room.
        let sorted = identifiers.sorted()
        let repeated = Set(zip(sorted, sorted.dropFirst()).lazy.filter { $0 == $1 && $0 != 0 }.map(\.0))
        guard !repeated.isEmpty else { return [:] }
        var again: [UInt64: [Int]] = [:]
        for (index, identifier) in identifiers.enumerated() where repeated.contains(identifier) {
            again[identifier, default: []].append(index)
        }
        var overtaken: [Int: Int] = [:]
        for indices in again.values {
            var best: [String: (index: Int, time: KeepTimestamp?)] = [:]
            for index in indices {
                try cancellation.check()
                let identity = KeepNote.identity(try fields(of: places[index], in: file))
                guard let id = identity.id else { continue }
                guard let known = best[id] else {
                    best[id] = (index, identity.modifiedAt)
                    continue
                }
                // One whose time can't be read is older than any.
                let isNewer = identity.modifiedAt.map { time in known.time.map { time > $0 } ?? true } ?? false
                overtaken[isNewer ? known.index : index] = isNewer ? index : known.index
                if isNewer { best[id] = (index, identity.modifiedAt) }
            }
        }
        return overtaken
    }

    /// Reads who a note is without holding it in memory.
    private static func fields(of range: Range<Int>, in file: TemporaryFile) throws -> NoteFieldScanner {
        var scanner = NoteFieldScanner(fields: ["id", "modified_at"])
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(range.count, 1 << 16), alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, range.upperBound - offset)])
            let count = try file.read(into: rest, at: offset)
            if count == 0 { break }
            for byte in rest[..<count] { scanner.take(byte) }
            offset += count
        }
        return scanner
    }

    /// Decodes the note at an index, counted from 0.
    ///
    /// - Throws: `UnusableNote`; `CancellationError`; `NoteSyncError` when the file can't be read.
    func note(at index: Int, maximumBytes: Int) async throws -> KeepNote {
        try await workThrough(bytes: bytes(at: index)) { _ in try read(index, maximumBytes: maximumBytes) }
    }

    private func read(_ index: Int, maximumBytes: Int) throws -> KeepNote {
        let range = places[index]
        guard range.count <= maximumBytes else {
            let identity = KeepNote.identity(try Self.fields(of: range, in: file))
            throw UnusableNote(
                position: index + 1,
                id: identity.id,
                modifiedAt: identity.modifiedAt,
                reason: "the note has \(range.count) bytes, more than SYNC_MAX_NOTE_BYTES (\(maximumBytes)) allows"
            )
        }
        var json = Data(count: range.count)
        let read = try json.withUnsafeMutableBytes { buffer in
            var done = 0
            while done < buffer.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                let count = try file.read(into: rest, at: range.lowerBound + done)
                if count == 0 { break }
                done += count
            }
            return done
        }
        guard read == range.count else {
            throw NoteSyncError(.localFault, .transient(), "The temporary file of notes has become shorter.")
        }
        return try KeepNote.decode(json, position: index + 1)
    }
}

/// Where notes stand in a file: 12 bytes for each.
struct NotePlaces: Sendable {
    private var starts: [UInt64] = []
    private var lengths: [UInt32] = []

    var count: Int { starts.count }

    /// A note of more than 4 GiB is held to end there: it is larger than any that is taken.
    mutating func append(_ range: Range<Int>) {
        starts.append(UInt64(range.lowerBound))
        lengths.append(UInt32(clamping: range.count))
    }

    subscript(index: Int) -> Range<Int> {
        let start = Int(starts[index])
        return start..<start + Int(lengths[index])
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}

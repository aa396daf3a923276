internal import Foundation

/// A fetched list of notes in a temporary file, and where in it each note stands. Notes are read one at a time.
struct NoteListFile: Sendable {
    private let file: TemporaryFile
    private let ranges: [Range<Int>]

    var count: Int { ranges.count }

    /// How long a note's JSON is, by its index.
    func bytes(at index: Int) -> Int { ranges[index].count }

    /// Looks through the whole list once.
    ///
    /// - Throws: `NoteListScanner.Failure` when it is not a whole list.
    init(_ file: TemporaryFile) throws {
        self.file = file
        var scanner = NoteListScanner()
        var ranges: [Range<Int>] = []
        var offset = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            try scanner.feed(UnsafeRawBufferPointer(buffer)[..<count].rebased) { ranges.append($0) }
            offset += count
        }
        try scanner.finish()
        if let count = scanner.count, count != ranges.count {
            throw NoteListScanner.Failure.unexpected(
                "\"count\" says \(count), but there are \(ranges.count)",
                offset: offset
            )
        }
        self.ranges = ranges
    }

    /// Decodes the note at an index, counted from 0.
    ///
    /// - Throws: `UnusableNote`; `NoteSyncError` when the file can't be read.
    func note(at index: Int, maximumBytes: Int) throws -> KeepNote {
        let range = ranges[index]
        guard range.count <= maximumBytes else {
            throw UnusableNote(
                position: index + 1,
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

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}

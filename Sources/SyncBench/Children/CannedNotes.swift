import Foundation

/// A list of notes of one size, as the Keep Extractor sends it, made piece by piece.
struct CannedNotes {
    let count: Int
    /// Size of each note's content.
    let bytes: Int

    private static let opening = #"{"notes":["#
    private static func closing(_ count: Int) -> String { #"],"count":\#(count)}"# }

    /// The length of the list in bytes.
    func length(of range: Range<Int>) -> Int {
        let notes = range.isEmpty ? 0 : range.count * note(range.lowerBound).utf8.count + range.count - 1
        return Self.opening.utf8.count + notes + Self.closing(range.count).utf8.count
    }

    /// A part of the list, with its opening and closing where it holds the first or last note.
    func text(of part: Range<Int>, within range: Range<Int>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(part.count * (bytes + 300) + 64)
        if part.lowerBound == range.lowerBound { text += Self.opening.utf8 }
        for index in part {
            if index > range.lowerBound { text.append(UInt8(ascii: ",")) }
            text += note(index).utf8
        }
        if part.upperBound == range.upperBound { text += Self.closing(range.count).utf8 }
        return text
    }

    /// Each has the same length; each was modified an hour after the one before.
    private func note(_ index: Int) -> String {
        var seconds = time_t(1_100_000_000 + index * 3600)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let time = String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d",
            Int(parts.tm_year) + 1900,
            Int(parts.tm_mon) + 1,
            Int(parts.tm_mday),
            Int(parts.tm_hour),
            Int(parts.tm_min),
            Int(parts.tm_sec)
        )
        let number = String(format: "%08d", index)
        let content = String(repeating: "All work and no play. ", count: bytes / 22 + 1).prefix(bytes)
        return #"{"id":"note-\#(number)","title":"Title \#(number)","content":"\#(content)","created_at":"\#(time)","#
            + #""modified_at":"\#(time)","labels":["bench"],"images":[]}"#
    }
}

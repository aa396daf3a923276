/// What reading an export says at its end: how much was read, what was left out, and which files were read with doubts
/// or not at all.
struct TakeoutReport: CustomStringConvertible {
    var notes = 0
    /// Notes with no time that can be read, which are of 1970.
    var undated = 0
    var left = TakeoutNote.LeftOut()
    /// Files with parts or times of an unknown form.
    var odd: [String] = []
    var windows1252: [String] = []
    var damaged: [String] = []
    var unreadable: [String] = []

    mutating func add(_ note: TakeoutNote, _ encoding: TakeoutText.Encoding, file: String) {
        notes += 1
        left += note.left
        if note.edited == nil, note.created == nil { undated += 1 }
        if note.left.oddParts + note.left.oddTimes > 0 { odd.append(file) }
        switch encoding {
        case .unicode: break
        case .windows1252: windows1252.append(file)
        case .damagedUTF8: damaged.append(file)
        }
    }

    var description: String {
        let parts = [
            (left.audio, "audio recordings"), (left.files, "files that are no images"), (left.colours, "colours"),
            (left.pins, "pins"), (left.sharees, "sharees"),
            (left.oddParts, "titles, texts, labels, attachments, items, links and marks of an unknown form"),
            (left.oddTimes, "times of an unknown form or out of range"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        var text = "Read \(notes) notes of the export"
        text += parts.isEmpty ? "." : "; left out \(parts.joined(separator: ", "))."
        if undated > 0 { text += " Without a time, and so of 1970: \(undated) notes." }
        for (names, heading) in [
            (odd, "Files with parts or times of an unknown form"),
            (windows1252, "Read as Windows-1252, being in no Unicode encoding"),
            (damaged, "Read as UTF-8 with � for bytes that are none"), (unreadable, "Files that could not be read"),
        ] where !names.isEmpty {
            text += " \(heading): \(names.joined(separator: ", "))."
        }
        return text
    }
}

import Foundation

/// One kept-alive connection to the instant peer.
final class PeerConversation {
    private let descriptor: Int32
    private let latencyMilliseconds: Int
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)
    private var held = 0
    private var pages = 0

    init(_ descriptor: Int32, latencyMilliseconds: Int) {
        self.descriptor = descriptor
        self.latencyMilliseconds = latencyMilliseconds
    }

    /// Answers until the other side goes.
    func hold() {
        while let (head, size) = nextRequest() {
            buffer.removeSubrange(0..<size)
            buffer.append(contentsOf: repeatElement(0, count: size))
            held -= size
            guard answer(head) else { break }
        }
        close(descriptor)
    }

    /// The next request's head, and the size of the whole request.
    private func nextRequest() -> (head: String, size: Int)? {
        while true {
            if let end = headEnd() {
                let head = String(decoding: buffer[0..<end], as: UTF8.self)
                let size = end + 4 + Self.contentLength(head)
                while held < size { guard receive() else { return nil } }
                return (head, size)
            }
            guard receive() else { return nil }
        }
    }

    /// Where the head's closing empty line begins.
    private func headEnd() -> Int? {
        buffer.withUnsafeBytes { bytes in
            var from = 0
            while let base = bytes.baseAddress, let found = memchr(base + from, 13, held - from) {
                let position = UnsafeRawPointer(found) - base
                guard position + 4 <= held else { return nil }
                if bytes[position + 1] == 10, bytes[position + 2] == 13, bytes[position + 3] == 10 { return position }
                from = position + 1
            }
            return nil
        }
    }

    private func receive() -> Bool {
        if held == buffer.count { buffer.append(contentsOf: repeatElement(0, count: buffer.count)) }
        let count = buffer.withUnsafeMutableBytes { bytes in
            read(descriptor, bytes.baseAddress.map { $0 + held }, bytes.count - held)
        }
        held += max(count, 0)
        return count > 0
    }

    private static func contentLength(_ head: String) -> Int {
        for line in head.utf8.split(separator: UInt8(ascii: "\n")) {
            let name = "content-length:"
            guard line.count > name.utf8.count,
                zip(line, name.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 })
            else { continue }
            return line.dropFirst(name.utf8.count).reduce(0) { sum, digit in
                (48...57).contains(digit) ? sum * 10 + Int(digit - 48) : sum
            }
        }
        return 0
    }

    private func answer(_ head: String) -> Bool {
        let words = head.prefix { $0 != "\r\n" && $0 != "\r" }.split(separator: " ")
        guard words.count > 1 else { return false }
        if words[1].hasPrefix("/internal/notion/pages") {
            if latencyMilliseconds > 0 { usleep(UInt32(latencyMilliseconds) * 1000) }
            pages += 1
            let page = "page-\(descriptor)-\(pages)"
            return words[0] == "POST"
                ? send("201 Created", #"{"page_id":"\#(page)","url":"http://127.0.0.1/\#(page)"}"#)
                : send("200 OK", #"{"page_id":"\#(page)","updated":true}"#)
        }
        if words[1].hasPrefix("/internal/keep/auth") {
            return send("200 OK", #"{"status":"authenticated","error":null,"master_token":"t"}"#)
        }
        if words[1].hasPrefix("/internal/keep/notes") { return sendNotes(String(words[1])) }
        return send("200 OK", #"{"status":"healthy"}"#)
    }

    private func send(_ status: String, _ body: String) -> Bool {
        send(Array((Self.head(status, length: body.utf8.count) + body).utf8))
    }

    private static func head(_ status: String, length: Int) -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// All notes of a user, or the newest alone if asked for those since some time.
    private func sendNotes(_ target: String) -> Bool {
        let user = target.split(whereSeparator: { "?&".contains($0) }).first { $0.hasPrefix("username=") }
        let numbers = (user?.dropFirst(9) ?? "").split(separator: "-").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return send("400 Bad Request", #"{"detail":"unknown user"}"#) }
        let notes = CannedNotes(count: numbers[0], bytes: numbers[1])
        let range = target.contains("modified_since=") ? max(notes.count - 1, 0)..<notes.count : 0..<notes.count
        guard send(Array(Self.head("200 OK", length: notes.length(of: range)).utf8)) else { return false }
        for start in stride(from: range.lowerBound, to: max(range.upperBound, range.lowerBound + 1), by: 64) {
            let part = start..<min(start + 64, range.upperBound)
            guard send(notes.text(of: part, within: range)) else { return false }
        }
        return true
    }
}

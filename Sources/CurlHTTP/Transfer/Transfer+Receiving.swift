import Foundation

extension Transfer {
    /// One line of the header section, or of the trailer section after the body; false ends the transfer.
    func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerCount += 1
        headerBytes += bytes.count
        guard headerCount <= maximumHeaders + 2, headerBytes <= maximumHeaderBytes else {
            abort = .headersTooLarge
            return false
        }
        let line = Self.trimmed(String(decoding: bytes, as: UTF8.self)[...])
        if line.hasPrefix("HTTP/"), headers.isEmpty || headersAreComplete {
            // Another status line: what came before was an interim response (1xx).
            status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            headers = HTTPHeaders()
            headersAreComplete = false
        } else if line.isEmpty {
            headersAreComplete = true
        } else if !headersAreComplete, let colon = line.firstIndex(of: ":") {
            let value = Self.trimmed(line[line.index(after: colon)...])
            headers.append(name: String(line[..<colon]), value: String(value))
        }
        return true
    }

    /// Without the white space of RFC 9110, section 5.6.3, and line ends around it.
    private static func trimmed(_ text: Substring) -> Substring {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
        let utf8 = text.utf8
        guard let first = utf8.firstIndex(where: { !isSpace($0) }), let last = utf8.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return text[first...last]
    }

    /// Bytes of the body; false ends the transfer.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytesReceived += Int64(bytes.count)
        if case .file(let descriptor) = order.destination, (200..<300).contains(status) {
            return write(bytes, to: descriptor)
        }
        guard bytesReceived <= Int64(order.request.maximumResponseBytes) else {
            abort = .bodyTooLarge(limit: Int64(order.request.maximumResponseBytes))
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        if let limit = order.request.maximumDownloadBytes, bytesReceived > limit {
            abort = .downloadTooLarge(limit: limit)
            return false
        }
        if let reason = order.request.downloadRefusal?(bytes.count) {
            abort = .downloadRefused(reason)
            return false
        }
        var rest = bytes
        while !rest.isEmpty {
            let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if written > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if written == 0 || errno != EINTR {
                abort = .writeFailed(errno: written == 0 ? ENOSPC : errno)
                return false
            }
        }
        return true
    }
}

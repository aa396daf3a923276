extension Transfer {
    /// Called when a connection is ready and nothing of the request has been written to it; false ends the transfer.
    ///
    /// A second call means that curl wants to send the request again, because the kept-alive connection it wrote to
    /// ended without an answer.
    func beginSending() -> Bool {
        if order.isOver {
            abort = .deadlinePassed
            return false
        }
        if order.isTooLate {
            abort = .tooLate
            return false
        }
        guard sendAttempts == 0 || mayBeSentAgain else {
            abort = .wouldBeSentTwice
            return false
        }
        sendAttempts += 1
        return true
    }

    /// Without a byte of its body a server has only half a request, on which it cannot act.
    private var mayBeSentAgain: Bool {
        if order.request.mayBeResent { return true }
        // curl sends a signed body by itself, and how much of it has gone is not known here.
        guard order.request.signature == nil else { return false }
        guard let body = order.request.body, !body.isEmpty else { return false }
        return bodyOffset == 0
    }

    /// The next bytes of the body, copied into the room; nil ends the transfer.
    func sendBody(_ room: UnsafeMutableRawBufferPointer) -> Int? {
        guard let body = order.request.body else { return 0 }
        // Only half a request arrives, on which no server can act.
        if order.isOver, bodyOffset < body.count {
            abort = .deadlinePassed
            return nil
        }
        if bodyOffset == 0, order.isTooLate {
            abort = .tooLate
            return nil
        }
        let count = min(room.count, body.count - bodyOffset)
        body.withUnsafeBytes { bytes in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[bodyOffset..<bodyOffset + count]))
        }
        bodyOffset += count
        return count
    }
}

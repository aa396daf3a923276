import CCurl
import Foundation
import Support

/// The one thread that drives curl: takes requests in, moves bytes, resumes callers.
final class TransferLoop {
    private let mailbox: TransferMailbox
    private let configuration: HTTPClientConfiguration
    private var admission: AdmissionQueue
    private var waiting: [UInt64: TransferOrder] = [:]
    private var active: [UInt64: Transfer] = [:]
    private var idleHandles: [EasyHandle] = []
    /// No waiting request has an earlier deadline.
    private var earliestDeadline: ContinuousClock.Instant?

    private init(mailbox: TransferMailbox, configuration: HTTPClientConfiguration) {
        self.mailbox = mailbox
        self.configuration = configuration
        admission = AdmissionQueue(
            totalLimit: configuration.maximumConnections,
            originLimit: configuration.maximumConnectionsPerHost
        )
    }

    /// Starts the thread, which ends when the mailbox is closed.
    static func start(mailbox: TransferMailbox, configuration: HTTPClientConfiguration) {
        let thread = Thread {
            TransferLoop(mailbox: mailbox, configuration: configuration).run()
        }
        thread.name = "http-transfers"
        thread.start()
    }

    private func run() {
        let limit = max(configuration.maximumConnections, 1)
        ccurl_multi_setopt_long(mailbox.multi, CURLMOPT_MAXCONNECTS, limit)
        while true {
            let mail = mailbox.collect()
            receive(mail)
            if mail.isClosing { break }
            expireWaiting()
            admit()
            let turn = ContinuousClock.now
            var running: Int32 = 0
            let code = curl_multi_perform(mailbox.multi, &running)
            if code != CURLM_OK { failAll(.internalFailure, reason: String(cString: curl_multi_strerror(code))) }
            finishDone()
            expireActive(before: turn)
            admit()
            publishLoad()
            curl_multi_poll(mailbox.multi, nil, 0, pollMilliseconds, nil)
        }
        close()
    }

    // MARK: In

    private func receive(_ mail: TransferMailbox.Mail) {
        for order in mail.orders {
            guard !order.cancellation.isSet else {
                fail(order, .cancelled, reason: "the task was cancelled")
                continue
            }
            waiting[order.identifier] = order
            earliestDeadline = min(earliestDeadline ?? order.deadline, order.deadline)
            admission.enqueue(order.identifier, origin: order.target.origin)
        }
        for identifier in mail.cancellations {
            if let order = waiting.removeValue(forKey: identifier) {
                fail(order, .cancelled, reason: "the task was cancelled")
            } else if let transfer = active[identifier] {
                end(transfer, with: .failure(transfer.failure(.cancelled, reason: "the task was cancelled")))
            }
        }
    }

    private func expireWaiting() {
        guard let earliestDeadline, earliestDeadline <= .now else { return }
        let now = ContinuousClock.now
        for (identifier, order) in waiting where order.deadline <= now {
            waiting[identifier] = nil
            fail(order, .timedOut, reason: "no connection became free within \(order.request.timeout)")
        }
        self.earliestDeadline = waiting.values.map(\.deadline).min()
    }

    private func admit() {
        while let ticket = admission.next() {
            guard let order = waiting.removeValue(forKey: ticket.identifier) else {
                admission.release(ticket)
                continue
            }
            start(order, ticket: ticket)
        }
        if waiting.isEmpty { earliestDeadline = nil }
    }

    private func start(_ order: TransferOrder, ticket: AdmissionQueue.Ticket) {
        guard !order.isTooLate else {
            admission.release(ticket)
            return fail(order, .tooLate, reason: "the time until which it could be sent had passed")
        }
        guard let handle = idleHandles.popLast() ?? EasyHandle() else {
            admission.release(ticket)
            return fail(order, .internalFailure, reason: "out of memory")
        }
        let transfer = Transfer(order: order, ticket: ticket, handle: handle, limits: configuration)
        active[order.identifier] = transfer
        mailbox.statistics.withLock { $0.transfersStarted += 1 }
        do {
            try transfer.configure(configuration)
        } catch {
            let reason = "curl option \(error.option.rawValue): \(String(cString: curl_easy_strerror(error.code)))"
            return end(transfer, with: .failure(transfer.failure(.internalFailure, reason: reason)))
        }
        let code = curl_multi_add_handle(mailbox.multi, handle.pointer)
        if code != CURLM_OK {
            let reason = String(cString: curl_multi_strerror(code))
            end(transfer, with: .failure(transfer.failure(.internalFailure, reason: reason)))
        }
    }

    // MARK: Out

    private func finishDone() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(mailbox.multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            // The message is gone once its handle is removed.
            let code = message.pointee.data.result
            var context: UnsafeMutableRawPointer?
            guard ccurl_getinfo_pointer(handle, CURLINFO_PRIVATE, &context) == CURLE_OK, let context else { continue }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            end(transfer, with: code == CURLE_OK ? .success(transfer.response) : .failure(transfer.failure(code)))
        }
    }

    /// Ends the transfers whose deadline had passed before curl last read what is there. A process that was stopped
    /// meanwhile finds the answer with it: that counts, and curl's own time limit would be concluded before it is read.
    private func expireActive(before turn: ContinuousClock.Instant) {
        for transfer in Array(active.values) where transfer.order.deadline <= turn {
            let reason =
                "no whole answer came within \(transfer.order.request.timeout), but \(transfer.bytesReceived) bytes of its body"
            end(transfer, with: .failure(transfer.failure(.timedOut, reason: reason)))
        }
    }

    /// Takes the transfer out of curl, frees its place and resumes its caller.
    private func end(_ transfer: Transfer, with result: Result<HTTPResponse, CurlHTTPError>) {
        active[transfer.order.identifier] = nil
        admission.release(transfer.ticket)
        let opened = transfer.handle.number(CURLINFO_NUM_CONNECTS)
        curl_multi_remove_handle(mailbox.multi, transfer.handle.pointer)
        recycle(transfer.handle)
        mailbox.statistics.withLock { statistics in
            statistics.connectionsOpened += opened
            if case .success = result { statistics.transfersCompleted += 1 } else { statistics.transfersFailed += 1 }
        }
        transfer.order.continuation.resume(with: result.mapError { $0 })
    }

    private func fail(_ order: TransferOrder, _ code: CurlHTTPError.Code, reason: String) {
        mailbox.statistics.withLock { $0.transfersFailed += 1 }
        order.fail(code, reason: reason)
    }

    private func recycle(_ handle: EasyHandle) {
        curl_easy_reset(handle.pointer)
        if idleHandles.count < configuration.maximumConnections {
            idleHandles.append(handle)
        } else {
            curl_easy_cleanup(handle.pointer)
        }
    }

    private func failAll(_ code: CurlHTTPError.Code, reason: String) {
        for transfer in Array(active.values) {
            end(transfer, with: .failure(transfer.failure(code, reason: reason)))
        }
        for order in waiting.values {
            fail(order, code, reason: reason)
        }
        waiting = [:]
    }

    private func close() {
        failAll(.shutDown, reason: "the client was shut down")
        for handle in idleHandles { curl_easy_cleanup(handle.pointer) }
        for order in mailbox.finish() {
            fail(order, .shutDown, reason: "the client was shut down")
        }
        publishLoad()
    }

    // MARK: Waiting

    private func publishLoad() {
        mailbox.statistics.withLock { statistics in
            statistics.activeTransfers = active.count
            statistics.waitingTransfers = waiting.count
        }
    }

    /// Until the next deadline.
    private var pollMilliseconds: Int32 {
        let deadlines = [earliestDeadline, active.values.lazy.map(\.order.deadline).min()].compactMap(\.self)
        guard let next = deadlines.min() else { return 60_000 }
        return Int32(min(ContinuousClock.now.duration(to: next).wholeMilliseconds, 60_000))
    }
}

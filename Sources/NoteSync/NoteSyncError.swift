internal import FlowControl

/// Error that ends a sync, or one note of it, with what it means for the job.
public struct NoteSyncError: Error, CustomStringConvertible, Sendable {
    /// What happened.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        let name: String

        public var description: String { name }

        /// Nobody stored credentials for the user.
        public static let noCredentials = Code(name: "noCredentials")
        /// The stored credentials can't be decrypted.
        public static let undecipherableCredentials = Code(name: "undecipherableCredentials")
        /// The installation's own key can't be decrypted.
        public static let undecipherableKey = Code(name: "undecipherableKey")
        /// There is no installation key, and hashes that were made with it.
        public static let noInstallationKey = Code(name: "noInstallationKey")
        /// The stored credentials are not known to be the user's own, and must be.
        public static let unboundCredentials = Code(name: "unboundCredentials")
        /// The credentials name another Notion database than the pages lie in.
        public static let databaseChanged = Code(name: "databaseChanged")
        /// Google or Keep refused the login.
        public static let loginFailed = Code(name: "loginFailed")
        /// A request that another process has sent may still be carried out.
        public static let requestUnderWay = Code(name: "requestUnderWay")
        /// A peer can't be reached.
        public static let unreachable = Code(name: "unreachable")
        /// A peer answered with an error that says nothing of its cause, or did not answer in time.
        public static let peerFailed = Code(name: "peerFailed")
        /// A peer answered something that can't be read.
        public static let malformedAnswer = Code(name: "malformedAnswer")
        /// A peer does not take the request this program is configured to send.
        public static let refusedRequest = Code(name: "refusedRequest")
        /// A peer asks to be left alone for a while.
        public static let throttled = Code(name: "throttled")
        /// Notion does not know the user's token.
        public static let tokenInvalid = Code(name: "tokenInvalid")
        /// The user's Notion database is gone or not shared with the integration.
        public static let databaseGone = Code(name: "databaseGone")
        /// The database reports no error and keeps no record of what is to be sent.
        public static let lostRecord = Code(name: "lostRecord")
        /// Something on this machine is in the way: no room on the disk, no rights.
        public static let localFault = Code(name: "localFault")
    }

    /// What is to become of the job.
    public enum Disposition: Sendable, Equatable {
        /// No further attempt can help.
        case permanent
        /// The next attempt may succeed; at the earliest after this time, if the peer named one.
        case transient(notBefore: Duration? = nil)
        /// Try again after this time and spend no attempt.
        case snooze(Duration)
        /// Try again as soon as the peer may be back, after about this time, however often that was said before.
        case outage(Duration)
    }

    /// A peer's word that it is to be left alone.
    struct PauseRequest: Sendable, Equatable {
        /// Whether it speaks for itself and not of one account.
        var isOfPeer: Bool
        /// nil: it names no time.
        var wait: Duration?
    }

    /// A peer that is ill names any time; its next call finds out more. Only who limits the rate is left alone for
    /// longer.
    static let longestPause = Duration.seconds(10)

    public let code: Code
    /// What to do, without any secret.
    public let message: String
    public let disposition: Disposition
    let pauseRequest: PauseRequest?
    /// The gate that a snoozed job waits for; nil: none.
    let gate: GateName?
    /// Whether a peer took a call and did not answer.
    let isSilence: Bool
    /// Whether the peer itself has explained why it could not carry out this call, by nothing that holds for others
    /// too.
    let isExplained: Bool
    /// Whether the answer was that nobody is there to serve anyone: 502, 503 or 504.
    let isUnavailability: Bool

    /// A peer is out of order. Those that wait for it do not all come back at the same moment.
    ///
    /// - Parameter gate: that of the peer.
    static func outOfOrder(_ reason: String, wait: Duration, gate: GateName? = nil) -> NoteSyncError {
        NoteSyncError(.unreachable, .outage(wait + .seconds(2) * Double.random(in: 0.05...1)), reason, gate: gate)
    }

    /// No file can be opened: that passes as soon as other jobs end, and says nothing of this one.
    static func tooManyOpenFiles(_ message: String) -> NoteSyncError {
        NoteSyncError(.localFault, .snooze(.seconds(5) * Double.random(in: 1...2)), message)
    }

    /// Something on this machine is in the way, most likely no room on its disk: that says nothing of the job, and
    /// another worker may have room.
    static func machineFault(_ message: String) -> NoteSyncError {
        NoteSyncError(.localFault, .snooze(.seconds(30) * Double.random(in: 1...2)), message)
    }

    public init(_ code: Code, _ disposition: Disposition, _ message: String) {
        self.init(code, disposition, message, pauseRequest: nil)
    }

    init(
        _ code: Code,
        _ disposition: Disposition,
        _ message: String,
        pauseRequest: PauseRequest? = nil,
        gate: GateName? = nil,
        isSilence: Bool = false,
        isUnavailability: Bool = false,
        isExplained: Bool = false
    ) {
        self.code = code
        self.message = message
        self.disposition = disposition
        self.pauseRequest = pauseRequest
        self.gate = gate
        self.isSilence = isSilence
        self.isUnavailability = isUnavailability
        self.isExplained = isExplained
    }

    public var description: String { message }

    /// Whether other credentials of the user's might do: these were refused, or what they name has had too much.
    var isOfCredentials: Bool {
        switch code {
        case .loginFailed, .tokenInvalid, .databaseGone: true
        default: gate.map { $0.scope != .peer } ?? false
        }
    }

    /// Whether it says that something stored can't be decrypted.
    var isOfKeys: Bool { code == .undecipherableCredentials || code == .undecipherableKey }
}

import Logging
import Support

/// The state both peers and the control API share.
final class Simulator: Sendable {
    let noteLibrary: NoteLibrary
    let pages: PageStore
    let faults: FaultInjector
    let requests = RequestLog()
    let calls: CallLog
    let gate = SerialGate()
    let writerGate = SerialGate()
    let notion = NotionLimit()
    let underWay = CallsUnderWay()
    let masterTokens: Set<String>
    let logger: Logger
    private let currentSettings: Mutex<PeerSettings>

    /// - Throws: `PeerSimulatorError` where the notes cannot be read.
    init(configuration: SimulatorConfiguration, logger: Logger) throws {
        let notes: [KeepNote] =
            switch configuration.notes {
            case .takeout(let path): try TakeoutReader(path: path, logger: logger).notes()
            case .synthetic(let count, let noteBytes):
                SyntheticNotes(count: count, noteBytes: noteBytes, seed: configuration.seed).notes()
            }
        noteLibrary = NoteLibrary(notes: notes, seed: configuration.seed)
        pages = PageStore(tokens: configuration.notionTokens, databases: configuration.databases)
        faults = FaultInjector(plan: configuration.faults, seed: configuration.seed)
        calls = CallLog(isKept: configuration.recordsCalls)
        masterTokens = configuration.masterTokens
        currentSettings = Mutex(configuration.settings)
        self.logger = logger
    }

    var settings: PeerSettings {
        get { currentSettings.withLock { $0 } }
        set { currentSettings.withLock { $0 = newValue } }
    }
}

/// All settings.
public struct ServiceSettings: SettingsGroup {
    public var database: DatabaseSettings
    public var peers: PeerSettings
    public var worker: WorkerSettings
    public var sync: SyncSettings
    public var encryption: EncryptionSettings
    public var alerts: AlertSettings
    public var log: LogSettings
    public var http: HTTPServerSettings
    public var intake: IntakeSettings

    /// What a worker should say at its start: values that are passed over.
    public var warnings: [String]

    public init(reading reader: inout SettingsReader) {
        database = DatabaseSettings(reading: &reader)
        peers = PeerSettings(reading: &reader)
        worker = WorkerSettings(reading: &reader)
        sync = SyncSettings(reading: &reader)
        encryption = EncryptionSettings(reading: &reader)
        alerts = AlertSettings(reading: &reader)
        log = LogSettings(reading: &reader)
        http = HTTPServerSettings(reading: &reader)
        intake = IntakeSettings(reading: &reader)
        warnings = reader.warnings
    }
}

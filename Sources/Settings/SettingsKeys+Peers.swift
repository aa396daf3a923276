extension SettingsKeys {
    // MARK: Keep Extractor and Notion Writer

    static let keepExtractorURL = Setting(
        .peers,
        "KEEP_EXTRACTOR_URL",
        .baseURL(example: "http://localhost:8003"),
        default: "http://localhost:8003",
        "Address of the Keep Extractor"
    )
    static let notionWriterURL = Setting(
        .peers,
        "NOTION_WRITER_URL",
        .baseURL(example: "http://localhost:8004"),
        default: "http://localhost:8004",
        "Address of the Notion Writer"
    )
    static let keepExtractorTimeout = Setting(
        .peers,
        "KEEP_EXTRACTOR_TIMEOUT",
        .duration(.seconds(1) ... .seconds(86_400)),
        default: .seconds(1800),
        "Longest time for one fetch of notes; image upload makes it slow"
    )
    static let keepAuthTimeout = Setting(
        .peers,
        "KEEP_AUTH_TIMEOUT",
        .duration(.seconds(1) ... .seconds(3600)),
        default: .seconds(120),
        "Longest time for one authentication with Google Keep"
    )
    static let notionWriterTimeout = Setting(
        .peers,
        "NOTION_WRITER_TIMEOUT",
        .duration(.seconds(1) ... .seconds(3600)),
        default: .seconds(180),
        "Longest time for one page; a create cut short may become a page all the same"
    )
    static let modifiedSinceFormat = Setting(
        .peers,
        "KEEP_MODIFIED_SINCE_FORMAT",
        SettingType<ModifiedSinceFormat>.choice,
        default: .naive,
        "How modified_since is sent: naive (UTC without offset) or offset, for newer extractors"
    )
    static let certificateFile = Setting(
        .peers,
        "SYNC_TLS_CA_FILE",
        .certificateFile,
        unset: "none",
        "File of additional certificate authorities (PEM) to trust for https:// peers and webhooks"
    )
    static let privateHosts = Setting(
        .peers,
        "SYNC_PRIVATE_HOSTS",
        .list(.text("host", "a host name or address without port", where: HostName.isValid)),
        default: [],
        "Hosts of peers and database that are reached over a network of your own: no WARNING that they may be spoken to without TLS"
    )
    static let maximumNoteBytes = Setting(
        .peers,
        "SYNC_MAX_NOTE_BYTES",
        .bytes((64 << 10)...(1 << 30)),
        default: 16 << 20,
        "Largest single note accepted from the extractor; one note or batch above 4MiB is in a worker's memory at a time, several times"
    )
    static let maximumFetchBytes = Setting(
        .peers,
        "SYNC_MAX_FETCH_BYTES",
        .bytes((1 << 20)...(1 << 40)),
        default: 2 << 30,
        "Largest answer accepted from the extractor; it is kept in a temporary file"
    )
    static let maximumFetchNotes = Setting(
        .peers,
        "SYNC_MAX_FETCH_NOTES",
        .integer(1...100_000_000),
        default: 1_000_000,
        "Most notes accepted in one answer of the extractor; each takes some 30 bytes of memory while it is read"
    )
    static let maximumWorkerFetchBytes = Setting(
        .peers,
        "SYNC_MAX_WORKER_FETCH_BYTES",
        .bytes((1 << 20)...(1 << 40)),
        default: 4 << 30,
        "Largest size of all such files of a worker together; 256 MiB of their disk, or a tenth of one below 2.5 GiB, are left free"
    )
}

// swift-tools-version: 6.2

import PackageDescription

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "sync-service",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "sync-worker", targets: ["SyncWorker"]),
        .executable(name: "sync-sidecar", targets: ["SyncSidecar"]),
        .executable(name: "sync-intake", targets: ["SyncIntake"]),
        .executable(name: "syncctl", targets: ["SyncControl"]),
        .executable(name: "peer-simulator", targets: ["PeerSimulator"]),
        .executable(name: "sync-bench", targets: ["SyncBench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // System libraries: a module map and a shim header each.
        .systemLibrary(name: "CLibPQ", providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
        .systemLibrary(name: "CProcess"),

        // What several modules need and none owns, then layers over the system's libraries. Imports point one way, down
        // this list's order.
        .target(name: "Support", dependencies: ["CProcess", logging, unixSignals]),
        .target(name: "Postgres", dependencies: ["CLibPQ", "Support", logging, serviceLifecycle]),
        .target(name: "CurlHTTP", dependencies: ["CCurl", "Support", logging]),
        .target(name: "Fernet", dependencies: ["COpenSSL"]),
        .target(name: "SyncSchema", dependencies: ["Postgres"], plugins: ["EmbedMigrationsPlugin"]),
        .target(name: "JobQueue", dependencies: ["Postgres", "Support", logging, metrics, serviceLifecycle]),
        .target(
            name: "FlowControl",
            dependencies: ["JobQueue", "Postgres", "Support", logging, metrics, serviceLifecycle]
        ),
        .target(
            name: "ServiceHealth",
            dependencies: ["FlowControl", "JobQueue", "Postgres", "Support", "SyncSchema"]
        ),
        .target(
            name: "NoteSync",
            dependencies: [
                "COpenSSL", "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "Postgres", "Support", "Telemetry",
                logging, metrics,
                serviceLifecycle,
            ]
        ),
        .target(
            name: "Alerts",
            dependencies: [
                "COpenSSL", "CurlHTTP", "JobQueue", "Postgres", "Settings", "Support", "Telemetry", logging, metrics,
                serviceLifecycle,
            ]
        ),
        .target(name: "Telemetry", dependencies: ["Support", logging, metrics]),
        .target(name: "Settings", dependencies: ["Telemetry", configuration, logging]),

        .target(
            name: "StatusAPI",
            dependencies: [
                "COpenSSL", "CurlHTTP", "FlowControl", "JobQueue", "Postgres", "ServiceHealth", "Settings", "Support",
                "SyncSchema", "Telemetry",
                httpTypes, hummingbird, logging, nioCore, nioHTTPTypes, serviceLifecycle, unixSignals,
            ],
            resources: [
                .embedInCode("Assets/openapi.json"), .embedInCode("Assets/page.css"), .embedInCode("Assets/page.js"),
            ]
        ),

        // Programs.
        .executableTarget(
            name: "SyncWorker",
            dependencies: [
                "Alerts", "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "Postgres", "Settings",
                "Support",
                "SyncSchema", "Telemetry",
                argumentParser, logging, metrics, serviceLifecycle, unixSignals,
            ]
        ),
        .executableTarget(
            name: "SyncSidecar",
            dependencies: ["Settings", "StatusAPI", "Support", "Telemetry", argumentParser]
        ),
        .executableTarget(
            name: "SyncIntake",
            dependencies: [
                "JobQueue", "Postgres", "ServiceHealth", "Settings", "StatusAPI", "Support", "Telemetry",
                argumentParser, httpTypes, hummingbird, logging, nioCore,
            ],
            resources: [.embedInCode("Assets/openapi.json")]
        ),
        .executableTarget(
            name: "SyncControl",
            dependencies: [
                "Alerts", "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "Postgres", "ServiceHealth",
                "Settings",
                "Support",
                "SyncSchema", "Telemetry",
                argumentParser, logging, unixSignals,
            ]
        ),
        .executableTarget(
            name: "PeerSimulator",
            dependencies: [
                "Support", argumentParser, httpTypes, hummingbird, logging, nioCore, serviceLifecycle, unixSignals,
            ]
        ),
        // Measures; starts its private server as the tests do.
        .executableTarget(
            name: "SyncBench",
            dependencies: [
                "CLibPQ", "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "Postgres", "Settings",
                "Support", "SyncSchema",
                "Telemetry", "TestSupport",
                argumentParser, histogram, logging, metrics, serviceLifecycle, unixSignals,
            ]
        ),

        // The single source of the tables is migrations/; a build tool writes it into SyncSchema.
        .executableTarget(name: "EmbedMigrations"),
        .plugin(
            name: "EmbedMigrationsPlugin",
            capability: .buildTool(),
            dependencies: ["EmbedMigrations"],
            path: "Sources/EmbedMigrationsPlugin"
        ),

        .target(
            name: "TestSupport",
            dependencies: ["Postgres", "Support", logging],
            path: "Tests/TestSupport"
        ),
        // The attack: a checker that knows nothing of the product's code, what makes the runs, and what deploy/chaos
        // runs.
        .target(name: "ChaosChecker", path: "Tests/ChaosChecker"),
        .target(
            name: "Chaos",
            dependencies: [
                "ChaosChecker", "CurlHTTP", "Fernet", "NoteSync", "Postgres", "Support", "SyncSchema", "TestSupport",
                nioCore, nioPosix,
            ],
            path: "Tests/Chaos"
        ),
        .executableTarget(
            name: "ChaosRunner",
            dependencies: ["Chaos", "ChaosChecker", argumentParser],
            path: "Tests/ChaosRunner"
        ),
        .testTarget(
            name: "ChaosTests",
            dependencies: [
                "Chaos", "ChaosChecker", "ChaosRunner", "PeerSimulator", "Postgres", "SyncIntake", "SyncSchema",
                "SyncSidecar", "SyncWorker", "TestSupport",
            ],
            exclude: ["Mutants"]
        ),

        .testTarget(name: "SupportTests", dependencies: ["JobQueue", "Support", "TestSupport", logging]),
        .testTarget(
            name: "PostgresTests",
            dependencies: ["Postgres", "Support", "TestSupport", logging, serviceLifecycle]
        ),
        .testTarget(name: "CurlHTTPTests", dependencies: ["CurlHTTP", "Support", logging]),
        .testTarget(
            name: "AlertsTests",
            dependencies: [
                "Alerts", "CurlHTTP", "JobQueue", "Postgres", "Settings", "SyncSchema", "Telemetry", "TestSupport",
                logging,
                serviceLifecycle,
            ],
            exclude: ["Scripts"]
        ),
        .testTarget(name: "FernetTests", dependencies: ["Fernet", "TestSupport"]),
        .testTarget(
            name: "JobQueueTests",
            dependencies: [
                "Chaos", "JobQueue", "Postgres", "Support", "SyncSchema", "TestSupport", logging, serviceLifecycle,
            ]
        ),
        .testTarget(
            name: "FieldReportTests",
            dependencies: [
                "Chaos", "JobQueue", "Postgres", "ServiceHealth", "StatusAPI", "Support", "SyncBench", "SyncSchema",
                "SyncWorker",
                "TestSupport",
                logging, nioCore,
            ]
        ),
        .testTarget(
            name: "FlowControlTests",
            dependencies: ["FlowControl", "JobQueue", "Postgres", "Support", "SyncSchema", "TestSupport", logging]
        ),
        .testTarget(
            name: "NoteSyncTests",
            dependencies: ["CurlHTTP", "FlowControl", "JobQueue", "NoteSync", "Support", "TestSupport", logging]
        ),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "Support", "Telemetry", configuration, logging]),
        .testTarget(
            name: "SyncControlTests",
            dependencies: [
                "Fernet", "FlowControl", "JobQueue", "NoteSync", "Postgres", "ServiceHealth", "Settings", "Support",
                "SyncControl",
                "SyncSchema", "TestSupport", argumentParser,
            ]
        ),
        .testTarget(name: "TelemetryTests", dependencies: ["Support", "Telemetry", logging, metrics]),
        .testTarget(
            name: "StatusAPITests",
            dependencies: [
                "CurlHTTP", "Fernet", "JobQueue", "NoteSync", "PeerSimulator", "Postgres", "ServiceHealth", "StatusAPI",
                "Support",
                "SyncControl",
                "SyncIntake", "SyncSchema", "SyncSidecar", "SyncWorker", "TestSupport", logging, nioCore, nioEmbedded,
            ],
            exclude: ["Scripts"]
        ),
        .testTarget(name: "PeerSimulatorTests", dependencies: ["PeerSimulator", "Support", "TestSupport", logging]),
        .testTarget(
            name: "PlanTests",
            dependencies: [
                "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "PeerSimulator", "Postgres",
                "ServiceHealth", "StatusAPI",
                "SyncSchema",
                "TestSupport", logging,
            ]
        ),
        .testTarget(
            name: "ContractTests",
            dependencies: [
                "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "PeerSimulator", "Postgres", "Support",
                "SyncSchema",
                "TestSupport",
                logging, serviceLifecycle,
            ]
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Chaos", "CurlHTTP", "Fernet", "FlowControl", "JobQueue", "NoteSync", "PeerSimulator", "Postgres",
                "ServiceHealth",
                "Support",
                "SyncBench",
                "SyncControl", "SyncIntake", "SyncSchema", "SyncSidecar", "SyncWorker", "TestSupport", logging,
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

// Warnings are errors where asked for (CI). A setting of the targets and not a compiler flag of the command line: that
// one would reach the dependencies too, whose warnings SwiftPM suppresses, and the two do not go together.
let warningsAsErrors = Context.environment["SYNC_WARNINGS_AS_ERRORS"] == "1"
// Set by `deploy/test --sanitize=thread`: see Sources/Support/Mutex.swift.
let sanitizesThreads = Context.environment["SYNC_SANITIZE_THREADS"] == "1"

for target in package.targets where target.type != .plugin && target.type != .system {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
    if warningsAsErrors { target.swiftSettings?.append(.treatAllWarnings(as: .error)) }
    if sanitizesThreads { target.swiftSettings?.append(.define("SYNC_THREAD_SANITIZER")) }
}

// Full RELRO: the tables through which libraries are called are settled at the start and read-only from then on.
let installed: Set = ["SyncWorker", "SyncSidecar", "SyncIntake", "SyncControl"]

for target in package.targets where installed.contains(target.name) {
    target.linkerSettings = [
        .unsafeFlags(
            ["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now"],
            .when(platforms: [.linux])
        )
    ]
}

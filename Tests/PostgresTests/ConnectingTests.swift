import Foundation
import Logging
import TestSupport
import Testing

@testable import Postgres

/// Connection strings in their forms, passwords and TLS.
@Suite struct ConnectingTests {
    private func backendInfo(_ connectionString: String) async throws -> PostgresRow {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: connectionString, applicationName: "forms"),
            logger: Logger(label: "test")
        )
        let rows = try await connection.query(
            """
            SELECT current_database()::text AS database, current_setting('application_name') AS application,
                inet_server_addr() IS NULL AS local, current_setting('client_encoding') AS encoding,
                coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls
            """
        )
        await connection.close()
        return rows[0]
    }

    @Test func allFormsOfConnectionStringsWork() async throws {
        let cluster = try await PrivateCluster.shared()
        let keywords = "host=127.0.0.1 port=\(cluster.port) user=postgres dbname=template1"
        for string in [keywords, cluster.connectionString(database: "template1")] {
            let info = try await backendInfo(string)
            #expect(try info.decode("database", as: String.self) == "template1")
            #expect(try info.decode("application", as: String.self) == "forms")
            #expect(try info.decode("local", as: Bool.self) == false)
            #expect(try info.decode("encoding", as: String.self) == "UTF8")
        }
        let local = try await backendInfo(cluster.socketConnectionString(database: "postgres"))
        #expect(try local.decode("local", as: Bool.self))
        let folder = cluster.folder.replacing("/", with: "%2F")
        let uri =
            "postgres://postgres@/template1?host=\(folder)&port=\(cluster.port)&application_name=mine&client_encoding=LATIN1"
        let info = try await backendInfo(uri)
        #expect(try info.decode("application", as: String.self) == "mine")
        #expect(try info.decode("encoding", as: String.self) == "UTF8")
    }

    @Test func aRefusedConnectionIsAClearError() async throws {
        let configuration = PostgresConfiguration(connectionString: "postgresql://me:s3cretword@127.0.0.1:1/shop")
        let error = await expectPostgresError(.connectionFailed) {
            _ = try await PostgresConnection.connect(configuration, logger: Logger(label: "test"))
        }
        #expect(error?.isRetryable == true && error?.isConnectionFailure == true)
        #expect(error?.message.contains("host=127.0.0.1 port=1 dbname=shop user=me") == true)
        #expect(error?.message.contains("s3cretword") == false)
        #expect("\(configuration)".contains("s3cretword") == false)
        #expect(configuration.redactedDescription.contains("dbname=shop"))
    }

    @Test(arguments: [
        "postgresql://me:s3cret@word@127.0.0.1/shop", "postgresql://me:s3cret/word@127.0.0.1/shop",
        "host=127.0.0.1 password=s3cret word user=me", "postgresql://me:s3cret%zzword@127.0.0.1/shop",
        "postgresql://me:s3cret word@127.0.0.1/shop?nonsense=1", "host=127.0.0.1 s3cretword=1",
        "postgresql://me:s3cret@[word/shop", "host=127.0.0.1 password='s3cretword",
    ])
    func stringsThatCannotBeUnderstoodShowNoPassword(string: String) async throws {
        let configuration = PostgresConfiguration(connectionString: string)
        let error = await expectPostgresError(.invalidConfiguration) {
            _ = try await PostgresConnection.connect(configuration, logger: Logger(label: "test"))
        }
        for text in [error?.description ?? "", configuration.redactedDescription] {
            #expect(!text.contains("s3cret") && !text.contains("word@") && !text.contains("word\""))
        }
    }

    @Test(arguments: [
        ("postgresql://db1,db2:5433/x", ["db1", "db2"]), ("postgresql://db/x?sslmode=require", []),
        ("host=db sslmode=verify-full", []), ("host=db sslmode=allow", ["db"]), ("host=/run/postgresql", []),
        ("hostaddr=10.0.0.1", ["10.0.0.1"]), ("host=db hostaddr=10.0.0.1", ["10.0.0.1"]), ("host=,db", ["db"]),
        ("host=localhost hostaddr=10.0.0.1", ["10.0.0.1"]), ("host=a,b hostaddr=,10.0.0.1", ["a", "10.0.0.1"]),
    ])
    func hostsToWhichNoTLSIsRequired(string: String, hosts: [String]) throws {
        // A variable of the environment is read by libpq too.
        guard ProcessInfo.processInfo.environment["PGSSLMODE"] == nil else { return }
        #expect(try PostgresConfiguration(connectionString: string).hostsWithoutRequiredTLS() == hosts)
    }

    @Test func theOldestTLSIsSetByUs() {
        let configuration = PostgresConfiguration(connectionString: "host=db")
        let keywords = configuration.withConnectionParameters { keywords, _ in
            keywords.compactMap { $0.map { String(cString: $0) } }
        }
        #expect(keywords.contains("ssl_min_protocol_version"))
        #expect(
            keywords.firstIndex(of: "ssl_min_protocol_version")! < keywords.firstIndex(of: "dbname")!,
            "the string may say otherwise"
        )
    }

    @Test func passwordsAndTLS() async throws {
        let cluster = try await PrivateCluster.start(.init(password: "right/word", tls: true))
        let base = "host=127.0.0.1 port=\(cluster.port) user=postgres dbname=postgres"
        let encrypted = try await backendInfo("\(base) password=right/word sslmode=require")
        #expect(try encrypted.decode("tls", as: Bool.self))
        let verified = try await backendInfo(
            "\(base) password=right/word sslmode=verify-full sslrootcert=\(cluster.folder)/server.crt"
        )
        #expect(try verified.decode("tls", as: Bool.self))
        let plain = try await backendInfo("\(base) password=right/word sslmode=disable")
        #expect(try plain.decode("tls", as: Bool.self) == false)
        let wrong = await expectPostgresError(.connectionFailed) {
            _ = try await backendInfo("\(base) password=wr0ngword sslmode=require")
        }
        #expect(wrong?.message.contains("password authentication failed") == true)
        #expect(wrong?.message.contains("wr0ngword") == false)
        #expect(wrong?.sqlState == .invalidPassword)
        try await bigTransfersWork(over: "\(base) password=right/word sslmode=require")
        try await cluster.remove()
    }

    /// As the server says it by SQLSTATE, in whatever language its text is.
    @Test func aRefusedConnectionSaysWhy() async throws {
        let cluster = try await PrivateCluster.shared()
        let missing = await expectPostgresError(.connectionFailed) {
            _ = try await backendInfo(cluster.connectionString(database: "not_there"))
        }
        #expect(missing?.sqlState == .invalidCatalogName)
        let unreachable = await expectPostgresError(.connectionFailed) {
            _ = try await backendInfo("host=127.0.0.1 port=\(try freePort())")
        }
        #expect(unreachable?.sqlState == nil)
        let texts = [
            "connection to server at \"::1\", port 5432 failed: FATAL:  53300: sorry, too many clients already",
            "port 5432 failed: ВАЖНО:  53300: извините, уже слишком много клиентов; LOCATION:  ProcStart, a.c:1",
            "port 1 failed: FATAL:  57P03: the database system is starting up; port 2 failed: FATAL:  53300: too many",
        ]
        for text in texts { #expect(ConnectionRefusal.sqlState(in: text) == .tooManyConnections) }
        #expect(ConnectionRefusal.sqlState(in: "connection refused; Is the server running:  there: or not?") == nil)
    }

    private func bigTransfersWork(over connectionString: String) async throws {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: connectionString),
            logger: Logger(label: "test")
        )
        let big = [UInt8](repeating: 7, count: 10_000_000)
        let rows = try await connection.query("SELECT \(big) AS big, pg_sleep(0.05)")
        #expect(try rows[0].decode("big", as: [UInt8].self) == big)
        let task = Task { try await connection.query("SELECT pg_sleep(60)") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await connection.close()
    }
}

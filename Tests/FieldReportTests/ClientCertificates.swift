import Foundation
import Postgres
import TestSupport
import Testing

/// Files by which a role shows the server who it is, and the authority that the server trusts for it.
struct ClientCertificates {
    /// Where the role's certificate and key are, under the same names whoever has signed them.
    let folder: URL
    let cluster: PrivateCluster
    let role: String

    /// A server that asks the role for a certificate, and nobody else.
    init(of role: String, on cluster: PrivateCluster) throws {
        self.role = role
        self.cluster = cluster
        folder = URL.temporaryDirectory.appending(path: "certificates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let rules = URL(filePath: "\(cluster.folder)/data/pg_hba.conf")
        let others = try String(contentsOf: rules, encoding: .utf8)
        let rule = "hostssl all \(role) 127.0.0.1/32 cert\nhost all \(role) all reject\n"
        try Data((rule + others).utf8).write(to: rules)
    }

    /// How the role reaches a database.
    func configuration(database: String) -> PostgresConfiguration {
        PostgresConfiguration(
            connectionString: """
                host=127.0.0.1 port=\(cluster.port) user=\(role) dbname=\(database) sslmode=verify-ca \
                sslrootcert=\(cluster.folder)/server.crt sslcert=\(path("client.crt")) sslkey=\(path("client.key"))
                """
        )
    }

    /// Replaces the role's files by those of a new authority, and has the server trust this one alone in new
    /// connections.
    func renew() async throws {
        let key = ["-nodes", "-newkey", "rsa:2048", "-days", "2"]
        try await openssl(["-subj", "/CN=authority", "-keyout", path("ca.key"), "-out", path("ca.crt")] + key)
        let signed = ["-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-subj", "/CN=\(role)"]
        try await openssl(signed + ["-keyout", path("client.key"), "-out", path("client.crt")] + key)
        let trusted = URL(filePath: "\(cluster.folder)/ca.crt")
        try Data(contentsOf: folder.appending(path: "ca.crt")).write(to: trusted)
        let connection = try await PostgresConnection.connect(
            cluster.configuration(database: "postgres"),
            logger: FieldQueue.quiet
        )
        try await connection.runScript("ALTER SYSTEM SET ssl_ca_file = '\(trusted.path)'")
        _ = try await connection.query("SELECT pg_reload_conf()")
        await connection.close()
    }

    /// The role's certificate and key as they are now.
    func files() throws -> [URL: Data] {
        let names = ["client.crt", "client.key"].map { folder.appending(path: $0) }
        return Dictionary(uniqueKeysWithValues: try names.map { ($0, try Data(contentsOf: $0)) })
    }

    func remove() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func openssl(_ arguments: [String]) async throws {
        let run = try ProgramRun(executable: "/usr/bin/openssl", ["req", "-x509"] + arguments)
        #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
    }
}

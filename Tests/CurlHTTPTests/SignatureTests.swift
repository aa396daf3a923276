import Foundation
import Testing

@testable import CurlHTTP

/// That the signature is right is for an independent program to say; see the tests of the alerts.
@Suite("Requests signed for Amazon Web Services")
struct SignatureTests {
    private let signature = AWSSignature(
        region: "eu-central-1",
        service: "sns",
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: "se:cret",
        sessionToken: "tok/en=="
    )

    @Test("The signature names what it covers, and the body is sent whole")
    func headers() async throws {
        let server = try SocketServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        defer { server.stop() }
        let request = HTTPRequest(
            method: .post,
            url: server.url + "/",
            headers: ["Content-Type": "application/json"],
            body: Array(#"{"a":"b"}"#.utf8),
            signature: signature
        )
        let client = HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false))
        #expect(try await client.execute(request).status == 200)
        let sent = try #require(server.requests.first)
        #expect(sent.contains("Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"))
        #expect(sent.contains("/eu-central-1/sns/aws4_request"))
        #expect(sent.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"))
        #expect(sent.contains("X-Amz-Security-Token: tok/en=="))
        #expect(sent.hasSuffix(#"{"a":"b"}"#))
        #expect(!sent.contains("Expect:") && !sent.contains("se:cret"))
    }

    @Test("What curl would sign and not send is not taken")
    func faults() {
        var request = HTTPRequest(method: .post, url: "https://x", body: [1], signature: signature)
        #expect(request.fault == "a signed body needs a Content-Type")
        request.headers = ["Content-Type": "a/b", "X-Empty": ""]
        #expect(request.fault == "header X-Empty of a signed request is empty")
        #expect(!"\(signature) \(String(reflecting: signature))".contains("cret"))
    }
}

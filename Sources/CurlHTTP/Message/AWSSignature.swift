/// Signature of a request for Amazon Web Services, version 4, as curl makes it.
///
/// Source: "AWS Signature Version 4 for API requests", AWS Identity and Access Management user guide.
public struct AWSSignature: Sendable {
    /// Region such as `eu-central-1`.
    public var region: String
    /// Name of the service in signatures, such as `sns` or `ses`.
    public var service: String
    public var accessKeyID: String
    public var secretAccessKey: String
    /// Token of temporary credentials.
    public var sessionToken: String?

    public init(
        region: String,
        service: String,
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String? = nil
    ) {
        self.region = region
        self.service = service
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

extension AWSSignature: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Region and service; never a credential.
    public var description: String { "AWSSignature(\(region), \(service))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

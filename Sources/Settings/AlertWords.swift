#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The kinds of alerts, as they are switched off by.
public enum AlertWord: String, CaseIterable, Sendable {
    case jobFailed = "job_failed"
    case crashBudget = "crash_budget"
    case userFailing = "user_failing"
    case notesFailing = "notes_failing"
    case userNotSynced = "user_not_synced"
    case unknownCreatesHeld = "unknown_creates_held"
    case jobSnoozed = "job_snoozed"
    case credentialsChangedOutside = "credentials_changed_outside"
    case peerDown = "peer_down"
    case breakerOpen = "breaker_open"
    case schemaNotCurrent = "schema_not_current"
    case installationKeyMissing = "installation_key_missing"
}

extension SettingType where Value == AlertWord {
    /// One of the kinds, as text.
    static var word: SettingType<String> {
        let choice = SettingType<AlertWord>.choice
        return SettingType<String>(
            name: choice.name,
            allowed: choice.allowed,
            parse: { choice.parse($0)?.rawValue },
            format: { $0 }
        )
    }
}

extension SettingType where Value == String {
    /// A mail address, bare.
    static var emailAddress: Self {
        text("address", "a mail address such as ops@example.org") { text in
            let parts = text.split(separator: "@", omittingEmptySubsequences: false)
            return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
                && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }
        }
    }
}

/// The secrets of signed webhooks.
enum WebhookSecret {
    /// Standard Webhooks: `whsec_` and 24 to 64 bytes in base64; shorter ones are taken, too.
    static func isValid(_ text: String) -> Bool {
        text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { secret in
            guard secret.hasPrefix("whsec_"), let key = Data(base64Encoded: String(secret.dropFirst(6))) else {
                return false
            }
            return !key.isEmpty
        }
    }
}

/// The names of SNS topics.
enum TopicARN {
    static func isValid(_ text: String) -> Bool { region(of: text) != nil }

    /// The region in `arn:PARTITION:sns:REGION:ACCOUNT:NAME`; nil if the text is no such name.
    static func region(of text: String) -> String? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "sns", isRegion(parts[3]),
            !parts[4].isEmpty, !parts[5].isEmpty
        else { return nil }
        return parts[3]
    }

    static func isRegion(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }
}

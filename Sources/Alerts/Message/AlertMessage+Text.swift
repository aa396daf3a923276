import Foundation
import Support
import Telemetry

extension AlertMessage {
    /// What happened, in one sentence or two; no secret, no content of a note.
    var text: String { sentence.withVisibleControls }

    private var sentence: String {
        switch event {
        case .test: "This is a test of the alerts of \(source). Nothing is wrong."
        case .heldBack:
            "\(Count.of(count, "alert")) \(count == 1 ? "was" : "were") held back\(heldKinds), as more came in a minute than this channel is to get. "
                + "See them with: syncctl alerts list"
        case .trigger: happened
        case .repeat: "Still: \(happened)"
        case .resolve: "Resolved: \(over)"
        }
    }

    /// What a person should do; nil if nothing.
    var advice: String? {
        event == .trigger || event == .repeat ? kind?.advice : nil
    }

    /// What went wrong, without secrets and bounded; empty where nothing did.
    var reason: String {
        Redactor.processWide.sanitize(error ?? "", limit: Self.longestError)
    }

    /// The same as a sentence, so that what follows does not run into it.
    private var cause: String {
        let reason = reason
        return reason.last.map { ".?!…".contains($0) } ?? true ? reason : reason + "."
    }

    /// A line for a subject or a list.
    var title: String {
        let state = event == .resolve ? "resolved" : severity.rawValue
        return "[\(source)] \(state): \(subject)".withVisibleControls
    }

    /// What and whom it is about, for people.
    var shownUser: String? { userID?.withVisibleControls }
    var shownKey: String { key.withVisibleControls }
    var shownUsers: String { users.joined(separator: ", ").withVisibleControls }

    /// In characters.
    private static let longestError = 1000

    private var subject: String {
        switch kind {
        case nil: event == .test ? "test" : "\(Count.of(count, "alert")) held back\(heldKinds)"
        case .jobFailed: count == 1 ? "a sync job failed" : "\(count) sync jobs failed"
        case .crashBudget: count == 1 ? "a sync job kills its workers" : "\(count) sync jobs kill their workers"
        case .userFailing: "syncs of \(userID ?? "a user") fail"
        case .userNotSynced: count == 1 ? "\(users.first ?? "a user") is not synced" : "\(count) users are not synced"
        case .notesFailing:
            count == 1 ? "most notes of \(users.first ?? "a user") fail" : "most notes of \(count) users fail"
        case .unknownCreatesHeld: count == 1 ? "an unknown write waits for you" : "\(count) unknown writes wait for you"
        case .jobSnoozed:
            count == 1 ? "a sync job is put off again and again" : "\(count) sync jobs are put off again and again"
        case .credentialsChangedOutside: "credentials of \(userID ?? "a user") were changed outside"
        case .peerDown: "\(peerName) is down"
        case .breakerOpen: "\(peerName) is out of order"
        case .schemaNotCurrent: "the database is not migrated"
        case .installationKeyMissing: "nobody is synchronized: the installation key is gone"
        }
    }

    private var happened: String {
        let id = jobID?.uuidString.lowercased() ?? "?"
        let user = userID ?? "?"
        switch kind {
        case nil: return reason
        case .jobFailed where count == 1: return "Sync job \(id) of user \(user) failed: \(cause)"
        case .jobFailed where key.hasSuffix(AlertKind.otherCauses):
            return
                "\(count) more sync jobs failed for causes beside those that have an alert each\(concerned), the last of them \(id) of user "
                + "\(user): \(cause)"
        case .jobFailed:
            return
                "\(count) sync jobs failed for one cause\(concerned), the last of them \(id) of user \(user): \(cause)"
        case .crashBudget where count == 1: return "Sync job \(id) of user \(user) was given up: \(cause)"
        case .crashBudget: return "\(count) sync jobs were given up\(concerned), the last of them \(id): \(cause)"
        case .userFailing where count == 1: return "The last sync job of user \(user), \(id), failed: \(cause)"
        case .userFailing:
            return "The last \(count) sync jobs of user \(user) all failed, the last one \(id): \(cause)"
        case .userNotSynced where count == 1:
            return "User \(users.first ?? user) has not been synced since \(Self.time(firstAt))."
        case .userNotSynced:
            return
                "\(count) users have not been synced for too long\(concerned), the first since \(Self.time(firstAt))."
        case .notesFailing where count == 1:
            return "The last sync job of user \(user), \(id), completed, but many of its notes failed: \(cause)"
        case .notesFailing:
            return
                "The last sync jobs of \(count) users completed, but many of their notes failed\(concerned): \(cause) "
                + "The latest is \(id)."
        case .unknownCreatesHeld where count == 1:
            return "A note may or may not have been written and waits for an operator\(concerned)."
        case .unknownCreatesHeld:
            return "\(count) notes may or may not have been written and wait for an operator\(concerned)."
        case .jobSnoozed where count == 1:
            return
                "A sync job\(concerned) has been put off since \(Self.time(firstAt)) and neither runs to its end nor fails."
        case .jobSnoozed:
            return
                "\(count) sync jobs\(concerned) have been put off, the first since \(Self.time(firstAt)), and neither run to their end "
                + "nor fail."
        case .credentialsChangedOutside: return "Sync job \(id) runs all the same: \(cause)"
        case .peerDown: return "\(peerName) has not answered since \(Self.time(firstAt)): \(cause)"
        case .breakerOpen:
            return "\(peerName) has been out of order since \(Self.time(firstAt)), as its calls say: \(cause)"
        case .schemaNotCurrent: return "A worker cannot start or go on: \(cause)"
        case .installationKeyMissing: return "All jobs wait: \(cause)"
        }
    }

    private var over: String {
        let since = Self.time(firstAt)
        return switch kind {
        case nil: key
        case .jobFailed:
            "\(Count.of(count, "sync job")) failed from \(since) to \(Self.time(lastAt)), none since. The last error: \(cause)"
        case .crashBudget:
            "\(Count.of(count, "sync job")) \(count == 1 ? "was" : "were") given up from \(since) to \(Self.time(lastAt)), none since."
        case .userFailing: "the syncs of user \(userID ?? "?") no longer fail."
        case .userNotSynced: "all users have been synced in time again."
        case .notesFailing: "the notes of no user's last job failed in such numbers any more."
        case .unknownCreatesHeld: "no write waits for an operator any more."
        case .jobSnoozed: "no sync job is put off for so long any more."
        case .credentialsChangedOutside:
            "no sync of user \(userID ?? "?") has run with changed credentials since \(Self.time(lastAt))."
        case .peerDown: "\(peerName) answers again; it had been down since \(since)."
        case .breakerOpen: "\(peerName) answers calls again; it had been out of order since \(since)."
        case .schemaNotCurrent: "the database is up to date."
        case .installationKeyMissing: "the installation key is there again."
        }
    }

    private var concerned: String {
        guard !users.isEmpty else { return "" }
        let names = users.prefix(5).joined(separator: ", ")
        // Of other kinds the count is of jobs or notes.
        let areMore = users.count > 5 || kind?.countsUsers == true && count > users.count
        return " (\(names)\(areMore ? ", …" : ""))"
    }

    private var heldKinds: String { kinds.isEmpty ? "" : " (\(kinds.joined(separator: ", ")))" }

    private var peerName: String {
        switch key {
        case "peer:keep_extractor": "Keep Extractor"
        case "peer:notion_writer": "Notion Writer"
        default: String(key.drop { $0 != ":" }.dropFirst())
        }
    }

    private static func time(_ date: Date) -> String {
        let text = date.formatted(Date.ISO8601FormatStyle())
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
    }
}

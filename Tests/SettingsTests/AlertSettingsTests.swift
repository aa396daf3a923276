import Telemetry
import Testing

@testable import Settings

@Suite struct AlertSettingsTests {
    private func load(_ environment: [String: String]) throws -> AlertSettings {
        let on = ["ENABLE_NOTIFICATIONS": "true"]
        return try AlertSettings.load(from: config(on.merging(environment) { $1 }))
    }

    private func wrongVariables(_ environment: [String: String]) -> [String] {
        do {
            _ = try load(environment)
            return []
        } catch let error as SettingsError {
            #expect(!error.description.contains("hidden"), "\(error)")
            return error.problems.map(\.name)
        } catch {
            Issue.record("\(error)")
            return []
        }
    }

    @Test func `Several of a kind are separated by blanks`() throws {
        let channels = try load([
            "NOTIFICATION_WEBHOOK_URL": "https://a.example/x?a=1,2  https://b.example/y",
            "NOTIFICATION_WEBHOOK_SECRET": "whsec_AAAA,whsec_AAEC whsec_AAED",
            "NOTIFICATION_SLACK_URL": "https://hooks.slack.com/1\nhttps://hooks.slack.com/2",
            "NOTIFICATION_SNS_TOPIC": "arn:aws:sns:eu-central-1:1:a, arn:aws-cn:sns:cn-north-1:1:b",
            "NOTIFICATION_EMAIL_TO": "a@example.org,b@example.org", "NOTIFICATION_EMAIL_FROM": "s@example.org",
            "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_ENDPOINT_URL": "https://all.example", "AWS_ENDPOINT_URL_SNS": "https://sns.example",
        ]).channels
        #expect(channels.webhookURLs.map(\.value) == ["https://a.example/x?a=1,2", "https://b.example/y"])
        #expect(channels.webhookSecrets.map(\.value) == ["whsec_AAAA,whsec_AAEC", "whsec_AAED"])
        #expect(channels.slackURLs.count == 2)
        #expect(channels.topics.map(\.region) == ["eu-central-1", "cn-north-1"])
        #expect(channels.emailRecipients == ["a@example.org", "b@example.org"])
        #expect(channels.awsRegion == "eu-west-1")
        #expect(channels.snsEndpoint == "https://sns.example" && channels.sesEndpoint == "https://all.example")
    }

    @Test func `What can't be understood is named and not shown`() {
        #expect(wrongVariables(["NOTIFICATION_WEBHOOK_URL": "hooks.example/hidden"]) == ["NOTIFICATION_WEBHOOK_URL"])
        #expect(
            wrongVariables(["NOTIFICATION_WEBHOOK_SECRET": "hidden whsec_hidden-is-no-base64"])
                == ["NOTIFICATION_WEBHOOK_SECRET"]
        )
        #expect(wrongVariables(["ALERT_KINDS_OFF": "job_failed,jobfailed"]) == ["ALERT_KINDS_OFF"])
        #expect(wrongVariables(["NOTIFICATION_SNS_TOPIC": "alerts"]) == ["NOTIFICATION_SNS_TOPIC"])
        #expect(wrongVariables(["NOTIFICATION_EMAIL_TO": "Ops <a@b>"]) == ["NOTIFICATION_EMAIL_TO"])
    }

    @Test func `Plain HTTP needs the host's name`() throws {
        let urls = ["NOTIFICATION_WEBHOOK_URL": "https://a.example/ http://[FD00::1]:80/hidden"]
        // The replaced service took such a webhook: its channel refuses its messages, and the worker starts.
        #expect(wrongVariables(urls) == [])
        #expect(
            wrongVariables(["NOTIFICATION_SLACK_URL": "http://slack.example/x"]) == ["NOTIFICATION_SLACK_URL"]
        )
        let named = urls.merging(["ALERT_ALLOW_PRIVATE_HOSTS": "x.example [fd00::1]"]) { $1 }
        #expect(try load(named).channels.allowedPrivateHosts == ["x.example", "fd00::1"])
        #expect(wrongVariables(["NOTIFICATION_PAGERDUTY_URL": "http://pager.example"]) == [])
        #expect(
            wrongVariables(["NOTIFICATION_PAGERDUTY_URL": "http://pager.example", "NOTIFICATION_PAGERDUTY_KEY": "k"])
                == ["NOTIFICATION_PAGERDUTY_URL"]
        )
        // Where alerts are off, the replaced service's variable must not stop anything.
        #expect(try load(urls.merging(["ENABLE_NOTIFICATIONS": "false"]) { $1 }).channels.webhookURLs.count == 2)
    }

    @Test func `What belongs together is asked for`() {
        #expect(
            wrongVariables(["NOTIFICATION_EMAIL_TO": "a@example.org"])
                == ["NOTIFICATION_EMAIL_FROM", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        )
        #expect(
            wrongVariables([
                "NOTIFICATION_WEBHOOK_URL": "https://a.example", "NOTIFICATION_WEBHOOK_SECRET": "whsec_AAAA whsec_AAEC",
            ]) == ["NOTIFICATION_WEBHOOK_SECRET"]
        )
    }

    @Test func `Typing errors are pointed out`() {
        let warnings = UnknownSettings.warnings(in: ["NOTIFICATION_SLACK_ULR": "x", "ALERT_KIND_OFF": "y"])
        #expect(warnings.count == 2 && warnings.joined().contains("did you mean NOTIFICATION_SLACK_URL"))
    }
}

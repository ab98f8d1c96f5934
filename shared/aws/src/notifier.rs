use async_trait::async_trait;
use aws_sdk_sns::Client;
use flow::Transient;
use flow::ports::{Audience, Notice, Notifier};

use crate::Clients;

/// The longest subject that SNS takes.
const LONGEST_SUBJECT: usize = 100;

/// Tells people through two topics.
///
/// IAM: `sns:Publish` on both.
#[derive(Debug, Clone)]
pub struct SnsNotifier {
    client: Client,
    technical: String,
    business: String,
}

impl SnsNotifier {
    /// The topics by their ARNs: for those who keep the machinery running, and for those who own the data.
    pub fn new(clients: &Clients, technical: impl Into<String>, business: impl Into<String>) -> Self {
        Self { client: clients.sns.clone(), technical: technical.into(), business: business.into() }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn notify(&self, notice: &Notice) -> Result<(), Transient> {
        let topic = match notice.audience {
            Audience::Technical => &self.technical,
            Audience::Business => &self.business,
        };
        self.client
            .publish()
            .topic_arn(topic)
            .subject(subject(&notice.subject))
            .message(&notice.text)
            .send()
            .await
            .map_err(|fault| Transient::because("publishing a notice", fault))?;
        Ok(())
    }
}

/// A subject as SNS takes it: one line of printable ASCII, at most 100, not beginning with a space. A subject that is
/// refused would be a notice lost, so what does not fit is replaced (file names may hold anything) or cut.
fn subject(text: &str) -> String {
    let printable = text.trim_start().chars().map(|letter| match letter {
        ' '..='~' => letter,
        _ => '?',
    });
    let subject: String = printable.take(LONGEST_SUBJECT).collect();
    if subject.is_empty() { "Notice".to_owned() } else { subject }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_becomes_one_line_of_ascii() {
        assert_eq!(subject("größe.csv\nheld"), "gr??e.csv?held");
        assert_eq!(subject("  held"), "held");
        assert_eq!(subject(&"x".repeat(101)).len(), 100);
        assert_eq!(subject("  "), "Notice");
    }
}

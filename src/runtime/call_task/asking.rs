//! What a call asks of your system, beside its own task.

use super::Task;
use crate::call::Event;
use crate::runtime::pool::Msg;

impl Task {
    pub(super) fn perform(&self, request: crate::desk::Request) {
        let (shared, inbox, id) = (self.shared.clone(), self.inbox.clone(), self.id.clone());
        tokio::spawn(async move {
            let number = request.id;
            let outcome = shared.perform(&id, &request).await;
            let sent = inbox
                .send(Msg::Event(Event::Done {
                    request: number,
                    outcome,
                }))
                .await;
            // Nobody is there to hear it where the call is over: then it is still to be told.
            if sent.is_ok() {
                shared.told(&request).await;
            }
        });
    }

    pub(super) fn look_up(&self, ticket: u64, request: crate::desk::Request) {
        let (shared, inbox, id) = (self.shared.clone(), self.inbox.clone(), self.id.clone());
        tokio::spawn(async move {
            let outcome = shared.perform(&id, &request).await;
            let _ = inbox
                .send(Msg::Event(Event::LookedUp { ticket, outcome }))
                .await;
        });
    }
}

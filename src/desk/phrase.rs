//! What the line says around the facts: a table of wordings, each of which a desk's `phrases.toml` may replace.
//!
//! Several wordings of one key are said in turn, so that nobody hears the same sentence twice running. `{name}` in a wording is
//! filled by the place that says it; a wording that lacks a placeholder simply does not say that part.

use std::collections::HashMap;

/// Every key, with the wordings used where the desk brings none.
#[rustfmt::skip]
const TABLE: &[(&str, &[&str])] = &[
    // The start.
    ("greeting", &["Hi, I'm {agent}, the automated assistant at {company}. How can I help?"]),
    ("greeting_plain", &["Hi, this is the automated assistant at {company}. How can I help?"]),
    ("disclosure", &["You're talking to an automated assistant."]),
    ("recorded", &["This call is recorded."]),
    ("consent_ask", &["May I record this call? Say yes or press 1; if you'd rather not, say no."]),
    ("consent_yes", &["Thank you. How can I help?"]),
    ("consent_no", &["All right, it isn't recorded. How can I help?"]),
    ("history", &["You rang {day} about {matter}. Is it about that?"]),
    ("history_callback", &["You asked us {day} to ring you back about {matter}. Is it about that?"]),
    ("history_transferred", &["You spoke to a colleague {day} about {matter}. Is it the same?"]),
    ("history_human", &["I'm sorry it isn't settled yet. Shall I get a colleague back on to it?"]),
    ("ticket", &["There's an open ticket of yours: {matter}. Is it about that?"]),
    ("ticket_status", &["Its status is: {status}."]),
    ("ticket_day", &["It was last updated {day}."]),
    ("history_yes", &["Right, let's pick that up. What can I do about it?"]),
    ("history_no", &["OK. What can I do for you?"]),
    ("go_on", &["Sure, what is it?", "Of course, go ahead."]),
    ("hello", &["Hello! What can I do for you?", "Hi there. How can I help?"]),
    ("hello_name", &["Hello {name}! What can I do for you?", "Hi {name}. How can I help?"]),
    ("who", &["I'm {agent}, the automated assistant at {company}."]),
    ("who_plain", &["I'm the automated assistant at {company}."]),
    ("slot_cannot", &["That's fine, take your time."]),
    ("offer_unsure", &["I don't want to guess at that. Shall I bring in a colleague who can tell you?", "That I don't know for certain. Would you like a colleague to tell you?"]),
    ("is_company", &["Yes, this is {company}. What can I do for you?"]),
    ("go_ahead", &["I see. What can I do for you about that?", "All right. And what would you like to know, or have done?"]),
    ("due_now", &["At the moment it's {day}."]),
    ("can_hear", &["Yes, I can hear you. Go ahead."]),
    ("louder", &["Sorry about that. Here it is again.", "Let me say that once more."]),
    ("recorded_yes", &["Yes, this call may be recorded."]),
    ("recorded_no", &["No, this call isn't being recorded."]),
    ("thanks", &["You're welcome. Anything else?", "No problem at all. Is there anything else?", "Glad to help. Anything else I can do?"]),
    ("noted", &["Okay. Is there anything else?", "All right. What else can I do for you?"]),
    ("robot", &["I'm an automated assistant, not a person. I can bring one in whenever you like; just say so.", "You're talking to a machine, not to a person. If you'd rather have a colleague, say the word."]),
    ("help", &["I can help with things like {topics}. What do you need?"]),
    ("help_plain", &["Just tell me what you need in your own words, and I'll answer, see to it, or bring in a colleague."]),
    ("hold", &["Sure, take your time.", "No rush, I'll be here."]),
    ("slower", &["Of course, I'll take it bit by bit."]),
    ("nothing_to_repeat", &["I hadn't said much yet. What can I do for you?"]),
    // After an answer.
    ("anything_else", &["Anything else I can help with?", "Is there anything else?", "What else can I do for you?", "Does that cover it?"]),
    ("also_asked", &["You also asked about {matter}. Shall I go on to that?"]),
    ("again", &["Here it is once more.", "I'll say that again."]),
    ("offer_human", &["Would you like me to bring in a colleague?", "Shall I put you through to a colleague?"]),
    ("declined_human", &["All right. What would you like to do, then?", "OK, we'll carry on. What can I do?"]),
    ("goodbye", &["Thanks for calling. Bye now.", "Glad I could help. Take care, bye."]),
    ("goodbye_silence", &["It's gone quiet, so I'll hang up now. Call us again any time. Bye."]),
    // Not sure.
    ("clarify_two", &["Just so I get it right: is it about {first}, or about {second}?", "Do you mean {first}, or {second}?"]),
    ("clarify_which", &["Which of them: {choices}?", "Which one do you mean: {choices}?"]),
    ("clarify_one", &["Is this about {first}?", "Do you mean {first}?"]),
    ("clarify_open", &["Could you tell me a bit more about what you need?", "Could you put that another way for me?"]),
    ("outside", &["That's not something I can help with here. I can help with things like {topics}. What do you need?", "I'm afraid that's outside what this line does. I know about {topics}."]),
    ("outside_plain", &["That's not something I can help with here. Is there something about {company} I can do for you?"]),
    ("outside_again", &["I don't think I'm the right one for that. Would you like me to bring in a colleague?", "I can't help with that one either. Shall I get you a colleague?"]),
    ("outside_upset", &["What can I sort out for you?", "Tell me what's wrong, and I'll do what I can."]),
    // Asked to break the rules.
    ("refuse", &["I can't do that. I take the same steps with everybody."]),
    ("refuse_open", &["I can't do that, but I'm glad to help with something of your own. What do you need?"]),
    ("refuse_again", &["That's still not something I can do.", "My answer to that stays the same."]),
    // Not heard.
    ("unheard", &["Sorry, I didn't catch that. Could you say it again?", "I couldn't make that out. Could you try once more?"]),
    ("unheard_keypad", &["The line isn't clear. You can type it on your keypad, or press zero for a colleague."]),
    ("unheard_human", &["I'm still not hearing you well. Say \"colleague\" or press zero, and I'll bring somebody in. Otherwise, try me once more."]),
    ("silence", &["Are you still there?", "Take your time. I'm still here."]),
    ("silence_human", &["I can't hear anything. If you'd like a colleague, say so or press zero."]),
    // To a human.
    ("transfer_asked", &["Of course, I'll bring in a colleague. One moment.", "Sure, let me get you a colleague."]),
    ("transfer_dispute", &["I understand. That needs a person to look at it, so I'll bring in a colleague now."]),
    ("transfer_complaint", &["I'm sorry it came to that. I'll bring in a colleague who can take this up."]),
    ("transfer_fraud", &["Thanks for telling me. Let's deal with that right away; I'm bringing in a colleague now."]),
    ("transfer_hardship", &["Thank you for telling me. There are ways we can help, and a colleague can go through them with you. I'll get them now."]),
    ("transfer_distress", &["I'm sorry, that sounds really hard. Let me bring in somebody who can help, right now."]),
    ("transfer_bereavement", &["I'm very sorry for your loss. I'll bring in a colleague who can take care of everything with you."]),
    ("transfer_vulnerable", &["Thank you for telling me. I'll bring in a colleague who can take proper care of this."]),
    ("transfer_legal", &["I understand. I'll bring in a colleague who can deal with that properly."]),
    ("transfer_unsure", &["I don't want to guess at that. I'll bring in a colleague who can tell you.", "I'd rather you had that from somebody who knows for sure. Let me get a colleague."]),
    ("transfer_policy", &["That's one for a colleague. I'll bring them in now.", "A colleague looks after that. Let me bring them in."]),
    ("transfer_third_party", &["I can only talk about an account with its holder. A colleague can tell you what's possible; I'll bring one in."]),
    ("transfer_verify", &["I couldn't match those details, so I can't go into the account here. I'll bring in a colleague."]),
    ("verify_other", &["That's all right, there's another way.", "No problem, we can do it differently."]),
    ("verify_declined", &["That's fine, you don't have to. Without it I can't go into the account, but a colleague can check it's you some other way. Shall I bring one in?"]),
    ("transfer_locked", &["For that, a colleague needs to check who I'm speaking to. I'll bring one in."]),
    ("transfer_limit", &["I've already done that once on this call, so a colleague needs to look at it. I'll bring them in."]),
    ("transfer_slot", &["Let's not go round in circles. I'll bring in a colleague to sort this out."]),
    ("transfer", &["I'll bring in a colleague. One moment."]),
    ("nobody_free", &["I'm sorry, nobody could take the call just now. I've written down what you told me."]),
    // Callback.
    ("callback_offer", &["Can a colleague call you back on this number?", "Shall I have somebody ring you back on the number you're calling from?"]),
    ("callback_offer_number", &["Can a colleague call you back? If so, on which number?"]),
    ("callback_number", &["Which number should they ring?", "Could you give me the number again, slowly? Or type it on your keypad."]),
    ("callback_when", &["When would suit you?"]),
    ("callback_promised", &["That's arranged: a colleague will ring you back. They'll know what it's about, so you won't have to explain again."]),
    ("callback_promised_when", &["That's arranged: you asked for {when}, and I've passed that on. They'll know what it's about, so you won't have to explain again."]),
    ("callback_declined", &["OK, no callback. Is there anything I can do for you meanwhile?"]),
    // Doing.
    ("not_wanted", &["All right, I won't {what}. What can I do for you instead?", "OK, I won't {what}. What would you like?"]),
    ("not_wanted_plain", &["All right, I won't do that. What can I do for you?", "OK, nothing like that is done. What would you like instead?"]),
    ("aside_unknown", &["I don't have the answer to that here. A colleague would; just say so.", "That I can't tell you for certain. If you need to know first, say \"colleague\"."]),
    ("nothing_there", &["I've looked up {matter}, and there's nothing there on your account."]),
    ("state_now", &["At the moment it's {value}."]),
    ("told_done", &["Yes, that's done.", "Yes, it went through."]),
    ("told_all", &["That's what I have on it. Is there something in particular you'd like to know?"]),
    ("told_no_more", &["That's all I can see from here. Would you like me to bring in a colleague?"]),
    ("source_article", &["That's from our help article \"{title}\"."]),
    ("source_system", &["That's what our system has on your account."]),
    ("cancelled", &["OK, I've left that alone. Anything else?"]),
    ("back_to", &["Now, back to where we were.", "Let's go back to your request."]),
    ("confirm", &["Let me read that back: {what}. Shall I go ahead?", "So, {what}. Is that right?"]),
    ("confirm_again", &["I need a clear yes or no for this. You can also press 1 for yes or 2 for no."]),
    ("confirm_no", &["OK, nothing's been changed. What would you like instead?"]),
    ("corrected", &["Right.", "Got it, I've changed that."]),
    ("wait", &["One moment, I'm on it.", "Still working on that, one moment."]),
    ("looking", &["Let me look.", "One moment, I'll check.", "Let me see."]),
    ("doing", &["I'll do that now.", "Doing that now."]),
    ("too_late", &["The latest I can do is {limit}."]),
    ("too_early", &["The earliest I can do is {limit}."]),
    ("too_much", &["The most I can do is {limit}."]),
    ("too_little", &["It has to be at least {limit}."]),
    ("slot_again", &["Sorry, I didn't get that.", "Let me ask once more."]),
    ("slot_keypad", &["Let's try the keypad instead. Type it in, then press the hash key."]),
    ("slot_spell", &["Could you spell it for me, letter by letter?"]),
    ("part_end", &["I got {head}, then I missed the end. What comes after {last}?", "So far I have {head}. What comes after {last}?"]),
    ("part_start", &["I got {tail} at the end, but I missed the beginning. What comes before {first}?"]),
    ("part_middle", &["I got {head}, and {tail} at the end. What comes in between?"]),
    ("slot_reason", &["I need it to do what you asked for."]),
    ("slot_choices", &["You can choose {choices}."]),
    ("which_one", &["Which one do you mean: {choices}?", "There's more than one: {choices}. Which is it?"]),
    ("done", &["That's done."]),
    ("done_before", &["I can see that this went through when you called before, so I haven't done it a second time."]),
    ("limit_day", &["I've done that as often as I may in one day, so nothing was changed now. I'll bring in a colleague."]),
    ("dry_run", &["I have everything I need. This line is on a trial run, so nothing was sent and nothing has been changed."]),
    ("refused", &["I'm sorry, the system wouldn't let me do that, and nothing's been changed. I'll bring in a colleague."]),
    ("refused_read", &["I'm sorry, the system wouldn't show me that. I'll bring in a colleague."]),
    ("not_found", &["I can't find that on the system, so I'd rather not guess. I'll bring in a colleague."]),
    ("failed", &["I'm sorry, I can't reach our system just now, and nothing's been changed. I'll bring in a colleague."]),
    ("failed_read", &["I'm sorry, I can't get at our system just now. I'll bring in a colleague."]),
    ("unknown", &["I have to be honest: I don't know whether that went through. Please don't try it again yet; a colleague will check. I'll bring them in now."]),
    ("incomplete", &["The system answered, but not with what I need to tell you safely. I'll bring in a colleague."]),
    // Who is calling.
    ("verify_why", &["I'll just need to check it's you."]),
    ("verify_reason", &["I ask so that nobody else gets at your account."]),
    ("verify_again", &["I couldn't match that.", "That didn't work for me."]),
    ("verify_unclear", &["Sorry, I didn't get that.", "I missed that."]),
    ("verify_done", &["Thanks, that's all I need.", "Thank you, that's fine."]),
    ("verify_done_name", &["Thanks, {name}, that's all I need.", "Thank you, {name}."]),
    ("ask_postcode", &["What's your postcode?", "Could you give me your postcode?"]),
    ("ask_date_of_birth", &["What's your date of birth?", "Could you give me your date of birth?"]),
    ("ask_name", &["What's your full name?", "Could you give me your full name?"]),
    ("ask_factor", &["What's your {factor}?", "Could you give me your {factor}?"]),
    ("ask_caller_number", &["What's the phone number on your account?", "Could you give me the phone number on the account, digit by digit? You can type it, too."]),
    ("ask_account", &["What's your {factor}? You can say it or type it.", "Could you give me the {factor} again, slowly?"]),
    ("lookup_missed", &["I can't find anything under that."]),
    // A human comes back to the caller through us.
    ("sent_back", &["I've spoken to a colleague. They can't come on the line now, and they've left a note on your case so that it isn't lost."]),
    ("handed_back", &["I'm back with you. My colleague has asked me to carry on."]),
    ("handed_back_plain", &["I'm back with you. What can I do for you now?"]),
    // The engine's own, to the caller.
    ("no_media", &["Hello. I can't hear anything from your phone. If you can hear me, please check that you are not muted, or call again."]),
    ("filler", &["One moment.", "Just a second.", "Still looking, thanks for waiting.", "Nearly there.", "It is taking a little longer than usual.", "Still with you."]),
    ("hold_words", &["I'm calling a colleague for you now.", "Still ringing. Thank you for holding.", "I haven't forgotten you. I'm still trying to reach someone."]),
    ("review_hold", &["Let me just check that for you.", "Bear with me a second.", "One moment, I want to be sure about that."]),
    ("review_human", &["I'd like a colleague to help you with this. One moment, please."]),
    ("survey", &["Before you go: how did we do? Press a key from 1 to 5, where 5 is best."]),
    ("survey_thanks", &["Thank you. Goodbye."]),
    ("joined", &["You're through. Go ahead."]),
    ("joined_notes", &["You're both on the line now. I'll stay quietly to take notes."]),
    ("joining", &["{colleague} is joining us now. I'll let you talk."]),
    ("hand_back_wait", &["One moment, please. I'll be right with you."]),
    ("human_gone", &["They've left the call. Thank you for calling, goodbye."]),
    ("shutdown", &["I'm sorry, I have to end this call because the line is closing down. Please call again. Goodbye."]),
    ("goodbye_machine", &["This is an automated assistant, and I seem to be talking to a recording, so I will hang up now. Please call again. Goodbye."]),
    ("longest", &["I'm sorry, this call has reached its longest time, so I have to end it here. Please call again. Goodbye."]),
    ("callback_hello", &["Hello, this is the automated assistant at {company}. You asked us to call you back{about}. {colleague} is on the line for you. Press 1 to be put through, or 2 if this isn't a good time."]),
    ("callback_hello_again", &["To talk to our colleague, press 1 or say yes. If this isn't a good time, press 2. If you'd rather not be called about this again, press 9."]),
    ("callback_later", &["That's fine, we'll try you another time. Goodbye."]),
    ("callback_never", &["That's fine, we won't call you about this again. Goodbye."]),
    ("callback_lost", &["I'm sorry, my colleague has just dropped off the line. We'll call you again. Goodbye."]),
    // The engine's own, to a colleague.
    ("human_keys", &["Press {accept} to take the call, 2 to decline, 3 to hear this again, 4 to ask me about it, 5 to be introduced first, or 6 to send it back with a note. Once you're talking, star 7 hands the caller back to me."]),
    ("human_keys_again", &["Press {accept} to take the call, or 2 to decline."]),
    ("human_ask", &["What would you like to know?"]),
    ("human_not_heard", &["I didn't hear a question."]),
    ("human_more", &["Press 4 to ask again, {accept} to take the call, or 2 to decline."]),
    ("human_note", &["Say your note now, then press hash or hang up."]),
    ("human_hand_back", &["Tell me what to do for them, then press hash or hang up. Press {accept} to go back to them."]),
    ("human_thanks", &["Thank you. I have that. Goodbye."]),
    ("human_taken", &["A colleague has taken this call. Thank you, goodbye."]),
    ("human_calling", &["Thank you. I'm calling them now. Please hold the line."]),
    ("human_no_answer", &["They didn't answer. I'll try again later. Thank you, goodbye."]),
    ("human_not_now", &["They'd rather talk another time. I'll try again later. Thank you, goodbye."]),
    ("human_never", &["They'd rather not be called about this again, so I won't. Thank you, goodbye."]),
    ("human_machine", &["Nobody there pressed a key, so it was probably voicemail. I'll try again later. Thank you, goodbye."]),
    ("consult_none", &["That didn't come up on this call."]),
    ("consult_they_said", &["They said: \"{words}\"."]),
    ("consult_we_said", &["I told them: \"{words}\"."]),
    ("consult_verified_full", &["Yes, they're fully verified."]),
    ("consult_verified_basic", &["Only by their number so far. They haven't been fully verified."]),
    ("consult_verified_none", &["No, they haven't proved who they are."]),
    ("consult_name", &["Their name is {name}."]),
    ("consult_no_name", &["I don't have their name."]),
    ("consult_number", &["They're calling from {number}."]),
    ("consult_no_number", &["Their number is withheld."]),
    ("consult_topic", &["It's about {topic}."]),
    ("consult_mood", &["They seem {mood}."]),
    ("consult_tried", &["So far: {tried}."]),
    ("consult_not_tried", &["Nothing has been tried yet."]),
    ("consult_not_done", &["Nothing has been changed on this call."]),
    ("consult_action_done", &["This was done: {action}."]),
    ("consult_action_failed", &["This was tried and not done: {action}."]),
    ("consult_action_unknown", &["It isn't known whether this went through: {action}."]),
    ("consult_why", &["Because {why}."]),
    ("consult_open", &["Still open: {open}."]),
    ("consult_not_open", &["I know of nothing else that is open."]),
    ("consult_history", &["Yes. The last time was on {day}: {summary}."]),
    ("consult_no_history", &["I have no earlier calls of theirs."]),
    ("consult_sources", &["I went by these articles: {articles}."]),
    ("consult_no_sources", &["I haven't answered anything from the articles."]),
    ("a_colleague", &["A colleague"]),
];

/// Every key a `phrases.toml` may hold. `confirm.ACTION` may be used, too.
pub fn keys() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(key, _)| *key)
}

/// The built-in wordings of a key.
pub fn wordings(key: &str) -> &'static [&'static str] {
    TABLE
        .iter()
        .find(|(known, _)| *known == key)
        .map_or(&[], |(_, wordings)| wordings)
}

/// Whether a key of `phrases.toml` means anything. Beside the table: `confirm.ACTION` is an action's read-back (slots in braces),
/// `topic.INTENT` what an intent is called in a sentence ("a late fee"), `topics` what the line says it can help with, `language.es`
/// what callers who speak Spanish hear, in Spanish, on their way to a person who does, `nothing.ACTION` what is said where it looked
/// something up and there is none ("I can see nothing due").
pub fn is_key(key: &str) -> bool {
    ["confirm.", "nothing.", "topic.", "language."]
        .iter()
        .any(|kind| key.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
        || key == "topics"
        || TABLE.iter().any(|(known, _)| *known == key)
}

/// Chooses wordings for one conversation: in turn, never the same one twice running while there is another.
#[derive(Debug, Clone, Default)]
pub struct Wording {
    used: HashMap<String, usize>,
}

impl Wording {
    /// The next wording of `key` with its placeholders filled; empty for an unknown key. `own` is what the desk brings for it.
    pub fn say(&mut self, own: Option<&[String]>, key: &str, fill: &[(&str, &str)]) -> String {
        let built_in = wordings(key);
        let count = match own {
            Some(own) if !own.is_empty() => own.len(),
            _ => built_in.len(),
        };
        if count == 0 {
            return String::new();
        }
        let turn = self.used.entry(key.to_owned()).or_default();
        let at = *turn % count;
        *turn += 1;
        let mut text = match own {
            Some(own) if !own.is_empty() => own[at].clone(),
            _ => built_in[at].to_owned(),
        };
        for (name, value) in fill {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_take_turns() {
        let mut wording = Wording::default();
        let first = wording.say(None, "anything_else", &[]);
        let second = wording.say(None, "anything_else", &[]);
        assert_ne!(first, second);
        assert!(!first.is_empty());
    }

    #[test]
    fn a_desk_replaces_a_wording() {
        let own = vec!["Cheers from {company}.".to_owned()];
        let said = Wording::default().say(Some(&own), "goodbye", &[("company", "Brook Water")]);
        assert_eq!(said, "Cheers from Brook Water.");
    }

    #[test]
    fn every_key_is_there_once_and_says_something() {
        let mut seen = std::collections::HashSet::new();
        for (key, wordings) in TABLE {
            assert!(seen.insert(key), "{key} twice");
            assert!(wordings.iter().all(|w| !w.trim().is_empty()) && !wordings.is_empty());
        }
        assert!(
            is_key("goodbye")
                && is_key("confirm.move_payment")
                && !is_key("godbye")
                && !is_key("confirm.")
        );
    }
}

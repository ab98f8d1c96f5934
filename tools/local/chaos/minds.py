"""What the DERMS and the analytics engine do of their own accord: they answer later, each in its own way."""

from ..demo_files import EXTRACT
from ..demo_messages import ACK, SYNC
from ..demo_world import records
from . import files
from .messages import CHECK, SYNCHRONIZED
from .senders import Message, Sender

LATE = "the head-end does not take it"
CHECKED = "derms-dacs-device-status-ack"
ACKS_OF = {SYNC: ACK, "dacs-derms-program-rules": "derms-dacs-program-rules-ack", "dacs-derms-aggregators": "derms-dacs-aggregators-ack", CHECK: CHECKED}
"""By flow: the one that brings the later answers."""


def derms_answers(sender: Sender):
    """Answers what is to be answered later, once the platform has brought the question to its end; gives how many it did."""
    done = 0
    for message in [each for each in sender.book.messages if each.late and each.taken and not each.settled]:
        asked = sender.world.item(f"{message.flow}#message#{message.id}", "message")
        if not asked or asked["state"] == "Accepted":
            continue
        message.settled = True
        done += 1
        flow, positive = ACKS_OF[message.flow], message.late == "positive"
        if message.flow in SYNCHRONIZED:
            late = {"dacsMessageId": message.id, "answer": message.late} | ({} if positive else {"message": LATE})
            body = sender.world.sandbox("derms/late-acks", late)
        else:
            body = {"dacsMessageId": message.id, "responseCode": "SUCCESS" if positive else "FAILURE"}
        sender.post(Message(flow, message.id, body, message.id), f"/v1/derms/{flow.split('-', 2)[2]}", "derms")
    return done


def ouai_answers(sender: Sender, answered, rng):
    """Acknowledges each enrollment extract that lies in its inbox; gives how many it did. `answered` are the keys that it knows."""
    prefix = EXTRACT.split("-", 2)[2] + "/"
    fresh = [key for key in sender.world.keys("OuaiInboxBucket") if key.startswith(prefix) and key not in answered]
    for key in fresh:
        answered.add(key)
        body, _ = sender.world.read("OuaiInboxBucket", key)
        sender.drop(files.acknowledged(key, records(body), rng))
    return len(fresh)


def waiting(sender: Sender, answered):
    """What is still to be taken or answered: messages, and extracts whose rows are not all bad."""
    messages = sum(1 for each in sender.book.messages if not each.taken or (each.late and not each.settled))
    extracts = sum(1 for each in sender.book.files if each.flow == EXTRACT and each.delivered and each.inbox not in answered)
    return messages + extracts



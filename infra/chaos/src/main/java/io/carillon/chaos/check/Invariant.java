package io.carillon.chaos.check;

/** What must hold in every run, whatever breaks. */
public enum Invariant {
    I1("integrity: every event delivered was published, its content unchanged"),
    I2("isolation: nothing crosses namespaces, and nothing arrives on another channel than it was published on"),
    I3("agreement: one place in a channel is one event, for everybody"),
    I4("order: places grow, and one publisher's ephemeral events keep their order"),
    I5("no loss: no hole that was not declared, and at the end everybody stands at the head"),
    I6("no duplicate: a client gets an event once, over reconnects too"),
    I7("no ghost of a refusal: what was refused is never delivered"),
    I8("real time: what was acknowledged before another was sent stands before it"),
    I9("honest epochs: epochs change, and continuity ends, only by declaration and only where something broke"),
    I10("presence: who is online is listed, who is gone is not"),
    I11("closes: no connection ends without a reason while nothing is broken"),
    I13("conservation: when all clients have gone nothing of them is left"),
    I15("revocation: nothing reaches a revoked user later than five seconds"),
    I16("acknowledged delivery: what asks for an acknowledgement comes until it has one, whatever else was missed");

    private final String sentence;

    Invariant(String sentence) {
        this.sentence = sentence;
    }

    /** The invariant in words. */
    public String sentence() {
        return sentence;
    }
}

package report

import (
	"cmp"
	"fmt"
	"strings"

	"rollcall/internal/ledger"
)

// did is an action in words: what was done, to what, and why.
type did struct {
	ledger.Action
	Words string
}

// deeds has words for each event that State.Actions may have; a test holds it
// to that. %s stands for what it was done to.
var deeds = map[ledger.Event]string{
	ledger.CampaignStarted: "started the campaign",
	ledger.CampaignPaused:  "paused it",
	ledger.CampaignResumed: "resumed it",
	ledger.CampaignAborted: "aborted it",
	ledger.CampaignClosed:  "closed it",
	ledger.TookOver:        "took over from campaign %s",
	ledger.ServerLeftOut:   "left out server %s",
	ledger.DoorLeftOut:     "left out door %s",
	ledger.DoorNotAsked:    "went on although door %s is not what the campaign file says, and is not asked",
	ledger.Relisted:        "had it listed again, and took up what was found",
	ledger.OpenAccepted:    "accepted what is open and closed it, with %s to see to that",
	ledger.LoginAccepted:   "accepted login %s as open",
	ledger.DeviceContained: "went on although the device may not be contained",
	ledger.ProfileNamed:    "went on with lines of the profile that nobody had answered",
}

// claimed is what the names in the list of actions are worth.
const claimed = "Each name is what the caller's machine said (user@host), and no proof of who it was: Vault's audit log has the logins."

// byItself stands for who does what nobody asked for.
const byItself = "the program"

func actionsOf(s *ledger.State) (out []did) {
	for _, a := range s.Actions {
		words := deeds[a.Event]
		if strings.Contains(words, "%s") {
			words = fmt.Sprintf(words, a.What)
		}
		if a.Event == ledger.CampaignStarted && s.Program != "" {
			words += " with " + s.Program
		}
		if a.Event == ledger.CampaignClosed || a.Who == "" {
			a.Who = cmp.Or(a.Who, byItself)
		}
		out = append(out, did{a, words})
	}
	return out
}

// PausedLine says of a campaign that is paused why, and what goes on with it;
// empty of any other.
func PausedLine(s *ledger.State) string {
	p := s.By(ledger.CampaignPaused)
	switch {
	case p == nil || s.Phase != ledger.Paused:
		return ""
	case p.Who == "": // by itself, behind what was to be tried first
		return "paused: " + p.Why + ". " + HeldDo
	}
	return fmt.Sprintf("paused by %s at %s: `rollcall resume` goes on with it", p.Who, clock(p.At))
}

// HeldDo is what to do about a campaign that is held behind what was to be
// tried first.
const HeldDo = "`rollcall run` goes on with them, `rollcall abort` ends the campaign"

func actionsText(b *strings.Builder, s *ledger.State, width int) {
	all := actionsOf(s)
	if len(all) == 0 {
		return
	}
	b.WriteString("\nWho did what\n")
	for _, a := range all {
		line := clock(a.At) + "  " + a.Who + " " + a.Words
		if a.Why != "" {
			line += ": " + a.Why
		}
		b.WriteString(Wrap(Clean(line), "  ", width))
	}
	b.WriteString(Wrap(claimed, "  ", width))
}

// ending is how a campaign came to its end, where that was not by itself.
type ending struct{ Title, Text string }

// endingOf is nil for a campaign that has not ended, and for one that came to
// its end.
func endingOf(s *ledger.State, t tally) *ending {
	if s.Phase != ledger.Closed {
		return nil
	}
	why := strings.TrimPrefix(s.Why, "ended early: ")
	aborted := s.By(ledger.CampaignAborted)
	switch {
	case aborted != nil:
		text := fmt.Sprintf("%s aborted it at %s", cmp.Or(aborted.Who, "somebody"), clock(aborted.At))
		if s.EndedEarly() {
			text += ", before the roll was closed: nothing was set"
		}
		return &ending{"Aborted", text + "."}
	case s.OpenAccepted != nil:
		return &ending{"Closed, and what is open was accepted", sentence(leftOpen(s.OpenAccepted))}
	case s.EndedEarly():
		return &ending{"Ended early: nothing was set", "It never had a roll. " + sentence(cmp.Or(why, "The ledger does not say why"))}
	case t.Superseded > 0:
		return &ending{"Ended by another campaign", "A later campaign of the device took over, and lists what is open here once more. Look at that one (`rollcall campaigns`)."}
	case why != "":
		return &ending{"Ended early", sentence(why)}
	}
	return nil
}

// sentence makes one of a text that may begin small and have no full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return strings.TrimSuffix(upperFirst(text), ".") + "."
}

// endedLine is the ending in a line.
func endedLine(s *ledger.State, t tally) string {
	if e := endingOf(s, t); e != nil {
		return "! " + e.Title + ". " + e.Text
	}
	return ""
}

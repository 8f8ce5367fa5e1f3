package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples has for every command what somebody would type. A test holds it to
// that.
var examples = map[string]string{
	"rollcall accept-open":         `rollcall accept-open --login approle/esg-01 --reason "its batch tokens expire at 18:00"`,
	"rollcall abort":               `rollcall abort -f esg.yaml`,
	"rollcall answers check":       "rollcall answers check -f esg.yaml\nrollcall answers check -f esg.yaml --offline",
	"rollcall answers init":        `rollcall answers init -f esg.yaml`,
	"rollcall campaigns":           "rollcall campaigns --all\nrollcall campaigns --of svc-mail",
	"rollcall close":               "rollcall close --reason \"the rest is the network team's\" --owner netops@example.org --due 2026-12-05",
	"rollcall contain":             "rollcall contain --how isolated --at 2026-11-28T21:40:00Z --note \"both ports of switch 7 are down\"\nrollcall contain --how off --at 2026-11-28T22:40:00+01:00 -f esg.yaml",
	"rollcall demo":                "rollcall demo\nrollcall demo --keep",
	"rollcall doctor":              `rollcall doctor -f esg.yaml`,
	"rollcall evidence":            "rollcall evidence -f esg.yaml --campaign latest /var/log/slapd.log* vault/audit.log.gz\nrollcall evidence --window 2022-10-10..2023-05-20 --device 192.0.2.10 --usual 192.0.2.64/27 ldap1=access ldap2=access.2\nrollcall evidence --campaign latest --html evidence.html --time-zone Europe/Berlin slapd.log\nrollcall evidence --zone Europe/Berlin --year 2022 syslog.1.xz -o json | jq '.findings[] | select(.grade == \"confirmed\")'",
	"rollcall evidence record":     "rollcall evidence record -f esg.yaml evidence-esg-01.json",
	"rollcall evidence watch":      "rollcall evidence watch -f esg.yaml --usual 10.20.0.0/16 --indicators iocs.txt /var/log/slapd.log",
	"rollcall init":                "rollcall init -f esg.yaml\nrollcall init -f esg.yaml --print",
	"rollcall relist":              `rollcall relist --reason "two secrets named the wrong account"`,
	"rollcall leave-out":           `rollcall leave-out --server ldaps://ldap2.example.org --reason "off the network, its disk is broken"`,
	"rollcall ledger anchor":       "rollcall ledger anchor > anchors.txt",
	"rollcall ledger cat":          "rollcall ledger cat --jsonl | jq 'select(.event == \"finding\")'",
	"rollcall ledger key":          "rollcall ledger key > ledger.pub",
	"rollcall ledger serve":        "rollcall ledger serve --listen :8443",
	"rollcall ledger prove":        `rollcall ledger prove 17 > 17.tlog-proof`,
	"rollcall ledger verify-proof": `rollcall ledger verify-proof 17.tlog-proof --key ledger.pub`,
	"rollcall ledger verify":       `rollcall ledger verify --ledger ledger/esg-01-20261128T210000Z --key ledger.pub --anchor anchors.txt`,
	"rollcall list":                "rollcall list -f esg.yaml\nrollcall list -f esg.yaml --only 'svc-mail*'\nrollcall list -f esg.yaml -o json | jq -r '.credentials[] | select(.problem) | .name'",
	"rollcall pause":               `rollcall pause -f esg.yaml`,
	"rollcall plan":                "rollcall plan -f esg.yaml\nrollcall plan -f esg.yaml --only svc-mail",
	"rollcall profiles list":       `rollcall profiles list`,
	"rollcall profiles show":       "rollcall profiles show barracuda-esg\nrollcall profiles show barracuda-esg -o json | jq -r '.lines[] | select(.ask) | .id'",
	"rollcall rehearse":            "rollcall rehearse -f esg.yaml\nrollcall rehearse -f esg.yaml --clean",
	"rollcall report":              "rollcall report -f esg.yaml --html report.html\nrollcall report -f esg.yaml --summary --time-zone Europe/Vienna\nrollcall report -f esg.yaml --csv open.csv",
	"rollcall resume":              `rollcall resume -f esg.yaml`,
	"rollcall run":                 "rollcall run -f esg.yaml\nrollcall run -f esg.yaml --only svc-mail\nrollcall run -f esg.yaml --take-over",
	"rollcall schedule create":     `rollcall schedule create -f esg.yaml --cron "30 2 * * 0" --time-zone Europe/Vienna`,
	"rollcall schedule delete":     `rollcall schedule delete -f esg.yaml`,
	"rollcall schedule list":       `rollcall schedule list -o json`,
	"rollcall schedule trigger":    `rollcall schedule trigger -f esg.yaml`,
	"rollcall start":               `rollcall start -f esg.yaml && rollcall watch -f esg.yaml`,
	"rollcall status":              `rollcall status -f esg.yaml -o json`,
	"rollcall tasks":               `rollcall tasks -f esg.yaml`,
	"rollcall tasks done":          "rollcall tasks done radius --end 1 --note \"changed in the web interface\"\nrollcall tasks done radius --end \"NPS server\" --evidence ticket.pdf",
	"rollcall tasks list":          `rollcall tasks list -o json | jq -r '.tasks[] | select(.overdue) | .name'`,
	"rollcall tasks reassign":      `rollcall tasks reassign radius --to userpass/bob --reason "alice is on leave"`,
	"rollcall tasks renew":         `rollcall tasks renew radius --reason "it was read out on the phone" --yes`,
	"rollcall tasks show":          `rollcall tasks show radius`,
	"rollcall version":             `rollcall version -o json`,
	"rollcall watch":               `rollcall watch -f esg.yaml`,
	"rollcall worker":              "rollcall worker --role rotation\nrollcall worker --role ledger --ledger-dir /var/lib/rollcall",
}

// more says at length what commands do whose short line leaves something open.
var more = map[string]string{
	"rollcall pause":  `pause lets the credentials in hand finish and begins no others, until resume.`,
	"rollcall resume": `resume lets a paused campaign go on where it stopped.`,
	"rollcall abort": `abort begins no further credential. What lies between set and proof is finished, because
a new value may be in force there, and all the rest is recorded as open. The campaign
then ends; the next one lists anew and goes on with what this one left.

Where run has left the campaign on this machine, because it waits for people or was stopped, abort
starts the engine as run does, follows the campaign to its end, and has its exit code.`,
	"rollcall profiles":         `profiles are lists of what a type of device can hold, line by line, each line with its source. A campaign file names one, or a file of its own.`,
	"rollcall profiles list":    `list names the device profiles of this build, with how many lines each has.`,
	"rollcall schedule":         `schedule has Temporal start a campaign of the device again and again. Each run lists afresh, by the campaign file as it was when the schedule was created.`,
	"rollcall schedule list":    `list shows every schedule of Rollcall on this Temporal: device, rhythm, the last and the next run.`,
	"rollcall schedule trigger": `trigger starts a campaign from the schedule now, as the schedule itself would.`,
	"rollcall schedule delete":  `delete ends the schedule of the campaign file's device. A campaign that runs goes on.`,
	"rollcall watch":            `watch follows the running campaign on the screen until it ends or Ctrl-C, which changes nothing in it.`,
	"rollcall ledger":           `ledger reads the record of a campaign: to verify it, to read it, and to show one entry of it alone. What verify needs from Vault, key and anchor fetch; the rest works offline.`,
	"rollcall ledger cat":       `cat prints the ledger's entries in their order, for people or with --jsonl as they are written.`,
	"rollcall ledger key":       `key prints the public key that verifies the ledger, as ` + "`ledger verify --key`" + ` takes it. Fetch it from Vault yourself, over a way that you trust.`,
	"rollcall ledger anchor":    `anchor prints the copies of the ledger's checkpoints that Vault keeps, as ` + "`ledger verify --anchor`" + ` takes them.`,
	"rollcall ledger prove":     `prove prints one entry with the path that ties it to a signed checkpoint, so that it can be shown alone.`,
}

// whole is a campaign from its beginning to its end.
var whole = []string{"rollcall init", "rollcall doctor", "rollcall list", "rollcall run", "rollcall report --html report.html"}

// addExamples gives root and every command below it examples. A group has those
// of its commands.
func addExamples(root *cobra.Command) {
	root.Example = "  " + strings.Join(whole, "\n  ")
	addBelow(root)
}

func addBelow(group *cobra.Command) {
	for _, c := range group.Commands() {
		if text := examples[c.CommandPath()]; text != "" {
			c.Example = "  " + strings.ReplaceAll(text, "\n", "\n  ")
		}
		if c.Long == "" {
			c.Long = more[c.CommandPath()]
		}
		addBelow(c)
		if c.HasSubCommands() {
			var each []string
			for _, sub := range c.Commands() {
				first, _, _ := strings.Cut(sub.Example, "\n")
				each = append(each, first)
			}
			if c.Example != "" { // one that does something by itself has its own too
				each = append([]string{c.Example}, each...)
			}
			c.Example = strings.Join(each, "\n")
		}
	}
}

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALogOfOnesOwnIsRefusedWithFileAndLine(t *testing.T) {
	ca, err := os.ReadFile("example-ca.pem")
	require.NoError(t, err)
	text, err := os.ReadFile("example.yaml")
	require.NoError(t, err)
	c, err := Load("example.yaml")
	require.NoError(t, err)
	require.Equal(t, "sso jsonl user.name [success] map[event.action:[login]]", fmt.Sprint(c.Logs[0].Name, " ", c.Logs[0].Type, " ", c.Logs[0].Account, " ", c.Logs[0].Accepted, " ", c.Logs[0].Only))
	before, _, ok := strings.Cut(string(text), "logs:\n")
	require.True(t, ok)
	first := strings.Count(before, "\n") + 1
	for says, row := range map[string]struct {
		line  int
		lines string
	}{
		`logs.x.type: missing: csv, jsonl or text`:                                 {1, "  x: {account: a, time: t, outcome: o, accepted: [y]}"},
		`logs.x.type: unknown: cvs; one of csv, jsonl, text`:                       {1, "  x: {type: cvs, account: a, time: t, outcome: o, accepted: [y]}"},
		`logs.x.account: missing: name the column`:                                 {1, "  x: {type: csv, time: t, outcome: o, accepted: [y]}"},
		`logs.x.accepted: missing: list what stands in outcome`:                    {1, "  x: {type: csv, account: a, time: t, outcome: o}"},
		`logs.x.refused: y is in accepted already`:                                 {3, "  x:\n    {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    refused: [y]}"},
		`logs.x.time_format: is rfc3339, unix, unix-ms, or 2 January 2006`:         {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    time_format: yyyy-mm-dd}"},
		`logs.x.separator: has no meaning for jsonl`:                               {2, "  x: {type: jsonl, account: a, time: t, outcome: o, accepted: [y],\n    separator: \";\"}"},
		`logs.x.separator: must be one character`:                                  {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    separator: ab}"},
		`logs.x.only.k: list the values`:                                           {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    only: {k: []}}"},
		`logs.x.adress: unknown key: did you mean address?`:                        {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    adress: b}"},
		`logs.x: is a list, but this must be a mapping`:                            {1, "  x: [a]"},
		`logs.x.form: unknown: upn`:                                                {1, "  x: {type: csv, account: a, form: upn, time: t, outcome: o, accepted: [y]}"},
		`logs.x.pattern: missing: how a line of a login is written`:                {1, "  x: {type: text, accepted: [y]}"},
		`logs.x.pattern: cannot be read as a pattern: missing closing )`:           {2, "  x: {type: text, accepted: [y],\n    pattern: '(?P<account>x'}"},
		`logs.x.pattern: number 1 has no group (?P<outcome>…)`:                     {2, "  x: {type: text, accepted: [y],\n    pattern: '(?P<account>x)'}"},
		`logs.x.pattern: number 2 has no group (?P<account>…)`:                     {2, "  x: {type: text, accepted: [y],\n    pattern: ['(?P<account>x)(?P<outcome>y)', '(?P<outcome>x)']}"},
		`logs.x.pattern: has a group that is called acount: did you mean account?`: {2, "  x: {type: text, accepted: [y],\n    pattern: '(?P<acount>x)(?P<outcome>y)'}"},
		`logs.x.pattern: number 1 has a group server and none of time`:             {2, "  x: {type: text, accepted: [y],\n    pattern: '(?P<account>x)(?P<outcome>y)(?P<server>z)'}"},
		`logs.x.pattern: some have a group time`:                                   {2, "  x: {type: text, accepted: [y],\n    pattern: ['(?P<account>x)(?P<outcome>y)', '(?P<account>x)(?P<outcome>y)(?P<time>z)']}"},
		`logs.x.pattern: must be a pattern of 1 to 4096 bytes`:                     {2, "  x: {type: text, accepted: [y],\n    pattern: ''}"},
		`logs.x.pattern: is of type text alone`:                                    {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    pattern: x}"},
		`logs.x.account: has no meaning for text: name it as a group`:              {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)',\n    account: a}"},
		`logs.x.program: is of lines of a syslog, whose time`:                      {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)(?P<time>z)',\n    program: web}"},
		`logs.x.program: is the word before the colon`:                             {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)',\n    program: 'web[1]:'}"},
		`logs.x.time_format: is of a group time, which pattern has not`:            {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)',\n    time_format: unix}"},
		`logs.x.ignore: cannot be read as a pattern: unexpected )`:                 {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)',\n    ignore: ')'}"},
		`logs.x.ignore: cannot be read as a pattern: missing closing )`:            {2, "  x: {type: text, accepted: [y], pattern: '(?P<account>x)(?P<outcome>y)',\n    ignore: '\\Qx'}"},
		`logs.x.written_by_device: must be true or false`:                          {2, "  x: {type: csv, account: a, time: t, outcome: o, accepted: [y],\n    written_by_device: device}"},
		`logs.x.accepted: is a single value, but this must be a list`:              {1, "  x: {type: csv, account: a, time: t, outcome: o, accepted: y}"},
	} {
		name := filepath.Join(t.TempDir(), "c.yaml")
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(name), "example-ca.pem"), ca, 0o600))
		require.NoError(t, os.WriteFile(name, []byte(before+"logs:\n"+row.lines+"\n"), 0o600))
		_, err := Load(name)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, fmt.Sprintf(":%d: %s", first+row.line, says))
	}
}

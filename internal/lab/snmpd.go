package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"
)

const snmpdBinary = "/usr/sbin/snmpd" // Debian; not on the PATH of ordinary users

// SNMPDOptions say what SNMP agent to start. Everything is kept below Dir.
type SNMPDOptions struct {
	Dir string
	// Config are lines of snmpd.conf(5).
	Config []string
}

// SNMPD is a running SNMP agent. It answers v2c to the community "lab", and v3.
type SNMPD struct {
	opts SNMPDOptions
	port int

	oneProcess
}

// StartSNMPD starts it, and returns once it answers. The package snmpd must be
// installed.
func StartSNMPD(ctx context.Context, o SNMPDOptions) (*SNMPD, error) {
	if _, err := os.Stat(snmpdBinary); err != nil {
		return nil, fmt.Errorf("lab: %s is missing; install it with: apt-get install snmpd (%w)", snmpdBinary, err)
	}
	s := &SNMPD{opts: o}
	if err := s.Configure(o.Config...); err != nil {
		return nil, err
	}
	var err error
	for range 5 {
		if s.port, err = freeUDPPort(); err != nil {
			return nil, err
		}
		if err = s.Start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "it exited") {
			break
		}
	}
	return s, err
}

// Configure writes its configuration anew, which it reads when it starts and on
// SIGHUP.
func (s *SNMPD) Configure(lines ...string) error {
	text := strings.Join(append([]string{"rocommunity lab 127.0.0.1", "agentXSocket tcp:127.0.0.1:1"}, lines...), "\n") + "\n"
	return os.WriteFile(s.path("snmpd.conf"), []byte(text), 0o600)
}

// Start starts a stopped agent again. It has the users that it had, by their
// keys, and what its configuration has.
func (s *SNMPD) Start(ctx context.Context) error {
	proc, err := startProcessEnv(ctx, s.opts.Dir, s.LogFile(), []string{"SNMP_PERSISTENT_DIR=" + s.opts.Dir + "/kept", "MIBS="}, s.answers,
		snmpdBinary, "-f", "-Lo", "-C", "-c", s.path("snmpd.conf"), "-I", "-smux,-smuxsocket", fmt.Sprintf("udp:127.0.0.1:%d", s.port))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = proc
	return err
}

func (s *SNMPD) answers(context.Context) error {
	client := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(s.port), Version: gosnmp.Version2c, Community: "lab", Timeout: time.Second}
	if err := client.Connect(); err != nil {
		return err
	}
	defer client.Close()
	_, err := client.Get([]string{".1.3.6.1.2.1.1.3.0"})
	return err
}

// Address is where it answers.
func (s *SNMPD) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// LogFile has what it says.
func (s *SNMPD) LogFile() string { return s.path("snmpd.log") }

func (s *SNMPD) path(name string) string { return filepath.Join(s.opts.Dir, name) }

// Package served gives the ledgers of a folder to operators on other machines,
// and takes them there: files as C2SP tlog-tiles lays them out, which are never
// changed once they are full, so a copy needs what is new alone. Who may read
// them is decided by who may read the Access, which is kept in Vault. A copy is
// trusted for its signature, as the original is, and not for where it came
// from.
package served

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Access is what a reader needs, and nobody else should have.
type Access struct {
	URL         string // https://host:port
	Token       string // shown as a bearer token
	Certificate string // PEM: the one that the server shows, made at its start
}

// mostConns are served at once: the process beside it, which may be a
// campaign's, needs its own.
const mostConns = 256

// serverName is what the certificate is held to, wherever the server is.
const serverName = "rollcall-ledger"

// inLedger are the files of a ledger that are the record: not its lock, and not
// what its writer keeps for itself.
var inLedger = regexp.MustCompile(`^(ledger\.json|checkpoint|tile/([0-9]{1,2}|entries)(/x[0-9]{3})*/[0-9]{3}(\.p/[0-9]{1,3})?)$`)

// campaignName is a folder of a ledger.
var campaignName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// file is one of a ledger, as the list has it.
type file struct {
	Path string `json:"path"` // with slashes, below the ledger's folder
	Size int64  `json:"size"`
}

// Server serves until Close.
type Server struct {
	Access Access
	http   *http.Server
	root   *os.Root
	asked  atomic.Int64 // when a reader asked last, in Unix nanoseconds; 0: nobody did
	listen net.Listener
	failed chan error
}

// Listen serves the ledgers below dir at an address, over TLS with a
// certificate and a token that it makes: both live as long as the process.
// public is the URL under which others reach it; empty is this machine's name
// and the port. Call Close.
func Listen(dir, address, public string) (*Server, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("serving ledgers: %w", err)
	}
	cert, text, err := certificate()
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serving ledgers: %w", err), root.Close())
	}
	if public == "" {
		name, err := os.Hostname()
		if err != nil {
			name = "localhost"
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		public = "https://" + net.JoinHostPort(name, port)
	}
	s := &Server{root: root, listen: l, failed: make(chan error, 1), Access: Access{URL: strings.TrimSuffix(public, "/"), Token: rand.Text(), Certificate: text}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ledgers/{campaign}/files", s.list)
	mux.HandleFunc("GET /ledgers/{campaign}/file/{path...}", s.file)
	s.http = &http.Server{
		Handler: s.guarded(mux), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 5 * time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:  log.New(io.Discard, "", 0), // what strangers make it say would stand on the screen of run
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}},
		// Connections bound requests.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go func() {
		defer close(s.failed)
		if err := s.http.ServeTLS(netutil.LimitListener(l, mostConns), "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving ledgers at %s ended: %w", s.Access.URL, err)
		}
	}()
	return s, nil
}

// Failed gives why it serves no more, once it does not; it is closed without an
// error by Close.
func (s *Server) Failed() <-chan error { return s.failed }

// Close ends it; who is being served is not waited for.
func (s *Server) Close() error { return errors.Join(s.http.Close(), s.root.Close()) }

const (
	drainQuiet = 10 * time.Second // who follows a ledger asks more often
	maxDrain   = 30 * time.Second // and one who does not stop asking keeps nobody
)

// Drain waits, before Close, for readers who follow a ledger to see its end:
// until none has asked for a while. Where nobody follows it returns at once.
func (s *Server) Drain(ctx context.Context) {
	end := time.Now().Add(maxDrain)
	for {
		quiet := time.Since(time.Unix(0, s.asked.Load()))
		left := min(drainQuiet-quiet, time.Until(end))
		if left <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left):
		}
	}
}

func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(shown), []byte(s.Access.Token)) != 1 {
			w.Header().Set("Connection", "close") // a stranger keeps none
			http.Error(w, "the token is not this server's: it makes one at each start, and leaves it in Vault", http.StatusUnauthorized)
			return
		}
		s.asked.Store(time.Now().UnixNano())
		next.ServeHTTP(w, r)
	})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	campaign := r.PathValue("campaign")
	files := []file{}
	if campaignName.MatchString(campaign) {
		_ = fs.WalkDir(s.root.FS(), campaign, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			name := strings.TrimPrefix(p, campaign+"/")
			if info, err := d.Info(); err == nil && inLedger.MatchString(name) && info.Mode().IsRegular() {
				files = append(files, file{name, info.Size()})
			}
			return nil
		})
	}
	if len(files) == 0 {
		http.Error(w, "no ledger of that campaign is here", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(files)
}

func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	campaign, name := r.PathValue("campaign"), r.PathValue("path")
	if !campaignName.MatchString(campaign) || !inLedger.MatchString(name) {
		http.NotFound(w, r)
		return
	}
	f, err := s.root.Open(path.Join(campaign, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, f)
}

// certificate makes a key and a certificate for it that nobody signs: readers
// hold it to the very one that is in Vault.
func certificate() (tls.Certificate, string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{serverName},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0), // clocks differ, and the process may live long
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, public, private)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, string(text), nil
}

// ErrNotThere: that server has no ledger of the campaign.
var ErrNotThere = errors.New("no ledger of that campaign is there")

// ErrUnpinned: Vault has no checkpoint of a ledger that has some. Its writer
// leaves each there a moment after it has signed it.
var ErrUnpinned = errors.New("no checkpoint of it is in Vault: it was begun this moment, or somebody deleted them there, so that an older copy or another one would look the same. Look again; then look into Vault's audit log, and read the ledger where it is written")

// Plainly is an error of Mirror without the address and the path of the
// request, for whoever has said the address already.
func Plainly(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// reader speaks to one server.
type reader struct {
	access Access
	http   *http.Client
}

func newReader(a Access) (*reader, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(a.Certificate)) {
		return nil, errors.New("the certificate that Vault has of it is none")
	}
	return &reader{a, &http.Client{
		Timeout:       2 * time.Minute,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: serverName}, ResponseHeaderTimeout: 20 * time.Second, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (r *reader) get(ctx context.Context, at string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.access.URL+at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.access.Token)
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, ErrNotThere
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", r.access.URL, res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("%s sends more than a ledger's file holds", r.access.URL)
	}
	return body, err
}

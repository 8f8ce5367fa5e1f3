package posted

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// certEvery is how often the files of a certificate are looked at.
const certEvery = 10 * time.Second

// shown is the certificate that a server shows: of two files, which are read
// again when they change, since it ends sooner than a watch does.
type shown struct {
	cert, key string
	now       func() time.Time

	mu     sync.Mutex
	is     *tls.Certificate
	of     [2]time.Time // of the files that it is from
	looked time.Time
	why    error // the newest could not be read
}

// get is the newest that can be read.
func (s *shown) get() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is != nil && s.now().Sub(s.looked) < certEvery {
		return s.is, nil
	}
	s.looked = s.now()
	of, err := s.times()
	if err == nil && (s.is == nil || of != s.of) {
		var is tls.Certificate
		if is, err = tls.LoadX509KeyPair(s.cert, s.key); err == nil {
			s.is, s.of = &is, of
		}
	}
	s.why = err
	if s.is == nil {
		return nil, err
	}
	return s.is, nil
}

func (s *shown) times() (of [2]time.Time, err error) {
	for i, path := range []string{s.cert, s.key} {
		info, err := os.Stat(path)
		if err != nil {
			return of, err
		}
		if i == 1 && info.Mode().Perm()&0o037 != 0 {
			return of, fmt.Errorf("%s has mode %04o: others may read or write this key; chmod 0600 (0640 at most)", path, info.Mode().Perm())
		}
		of[i] = info.ModTime()
	}
	return of, nil
}

// trouble is why posters may not take it.
func (s *shown) trouble() error {
	is, err := s.get()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = errors.Join(err, s.why); err != nil {
		return fmt.Errorf("the certificate cannot be read: %w", err)
	}
	leaf := is.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(is.Certificate[0]); err != nil {
			return err
		}
	}
	if s.now().After(leaf.NotAfter) {
		return fmt.Errorf("the certificate in %s ended at %s: those who post take it no more", s.cert, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

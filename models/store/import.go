package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"aigw/models"
	"aigw/models/gguf"
)

// ImportOptions are the choices of an import.
type ImportOptions struct {
	Name string // instead of the source's
	// Progress is called with the bytes read so far and those to read in all.
	Progress func(done, total int64)
}

// Imported is what an import did.
type Imported struct {
	Model Model
	How   string // Cloned, Linked or Copied; of several parts the least good
	// Already says that the store had this model under this name with the same weights.
	Already bool
}

// ExistsError says that a name stands for other weights.
type ExistsError struct{ Name string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the store has another model called %q; choose another name with --name, or remove that one with `aigw models rm %s`", e.Name, e.Name)
}

// Import brings a model into the store. Until its last step, one rename, the store is as it was:
// the work is done in a folder of tmp/ that the next command removes if this process ends before.
func (s *Store) Import(ctx context.Context, src Source, o ImportOptions) (Imported, error) {
	name := cmp.Or(o.Name, src.Name)
	if err := CheckName(name); err != nil {
		return Imported{}, fmt.Errorf("%w (--name)", err)
	}
	stage, err := s.stage(src)
	if err != nil {
		return Imported{}, err
	}
	defer stage.close()
	m := Model{Name: name, Source: src.From, Imported: time.Now().UTC().Truncate(time.Second)}
	if err := stage.recognise(&m); err != nil {
		return Imported{}, err
	}
	how, err := stage.transfer(ctx, &m, o.Progress)
	if err != nil {
		return Imported{}, fmt.Errorf("import of %s: %w", src.From, err)
	}
	done, err := stage.commit(m)
	done.How = how
	return done, err
}

// stage is an import under way: a folder in tmp/ with the lock that says so and weights/, the
// files by name, at first as links to the source.
type stage struct {
	store *Store
	src   Source
	dir   string
	lock  *os.File
}

func (s *Store) stage(src Source) (*stage, error) {
	lock, err := s.lock() // so that nobody takes the folder for one that was cut off
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if _, err := s.collect(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Join(s.dir, tmpDir), "import-")
	if err != nil {
		return nil, err
	}
	st := &stage{store: s, src: src, dir: dir}
	if err := st.fill(); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (st *stage) fill() error {
	var err error
	if st.lock, err = os.Create(filepath.Join(st.dir, lockFile)); err != nil {
		return err
	}
	if err := tryLock(st.lock); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(st.dir, "weights"), 0o755); err != nil {
		return err
	}
	for _, f := range st.src.Files {
		if err := checkFile(f.File); err != nil {
			return err
		}
		path, err := filepath.Abs(f.Path)
		if err != nil {
			return err
		}
		if err := os.Symlink(path, st.path(f.File)); err != nil {
			return fmt.Errorf("two files of %s are called %s: %w", st.src.From, f.File, err)
		}
	}
	return nil
}

func (st *stage) path(file string) string { return filepath.Join(st.dir, "weights", file) }

// close removes the folder. After a commit there is nothing of value in it.
func (st *stage) close() {
	_ = os.RemoveAll(st.dir) // what stays is removed by the next command that writes
	if st.lock != nil {
		st.lock.Close()
	}
}

// recognise makes sure, before anything large is copied, that the model can be used.
func (st *stage) recognise(m *Model) error {
	err := func() error {
		f, err := gguf.Open(st.path(st.src.Files[0].File))
		if err != nil {
			return err
		}
		defer f.Close()
		if len(f.Parts) != len(st.src.Files) {
			return fmt.Errorf("%s brings %d files, the first is of a set of %d", st.src.From, len(st.src.Files), len(f.Parts))
		}
		if err := models.Check(f); err != nil {
			return err
		}
		r, err := models.Recognise(f)
		if err != nil {
			return err
		}
		m.Family, m.Role, m.FIM, m.Chat = string(r.Family), string(r.Role), r.FIM, string(r.Chat)
		m.Size = f.Size()
		for i, file := range st.src.Files {
			m.Parts = append(m.Parts, Part{File: file.File, Size: f.Parts[i].Size})
		}
		return r.Err(f.Path)
	}()
	return st.inSource(err)
}

// inSource names the file of the source in an error about its link in the stage.
func (st *stage) inSource(err error) error {
	source := func(path *string) {
		for _, f := range st.src.Files {
			if *path == st.path(f.File) {
				*path = f.Path
			}
		}
	}
	if e := (*gguf.Error)(nil); errors.As(err, &e) {
		source(&e.Path)
	}
	if e := (*models.Refusal)(nil); errors.As(err, &e) {
		source(&e.File)
	}
	return err
}

// transfer puts the weights in the place of their links.
func (st *stage) transfer(ctx context.Context, m *Model, progress func(done, total int64)) (string, error) {
	var done int64
	add := func(n int64) {
		done += n
		if progress != nil {
			progress(done, m.Size)
		}
	}
	rank := map[string]int{Cloned: 0, Linked: 1, Copied: 2}
	how := Cloned
	for i, f := range st.src.Files {
		to := st.path(f.File)
		if err := os.Remove(to); err != nil {
			return "", err
		}
		t, err := transfer(ctx, f.Path, to, add)
		switch {
		case err != nil:
			return "", err
		case t.size != m.Parts[i].Size:
			return "", fmt.Errorf("%s changed while it was read; wait until it is complete", f.Path)
		case f.Digest != "" && t.digest != f.Digest:
			return "", fmt.Errorf("%s is damaged: its manifest says %s, its content is %s; fetch it again", f.Path, f.Digest, t.digest)
		}
		m.Parts[i].Digest = t.digest
		if rank[t.how] > rank[how] {
			how = t.how
		}
	}
	return how, nil
}

// commit makes the model appear: weights first, then the folder that refers to them.
func (st *stage) commit(m Model) (Imported, error) {
	s := st.store
	lock, err := s.lock()
	if err != nil {
		return Imported{}, err
	}
	defer lock.Close()
	old, err := s.read(m.Name)
	switch {
	case err == nil && sameParts(old.Parts, m.Parts):
		return Imported{Model: old, Already: true}, st.commitWeights(m)
	case err == nil:
		return Imported{}, &ExistsError{m.Name}
	case !errors.Is(err, fs.ErrNotExist):
		return Imported{}, err
	}
	folder := filepath.Join(st.dir, "model")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return Imported{}, err
	}
	if err := st.commitWeights(m); err != nil {
		return Imported{}, err
	}
	for _, p := range m.Parts {
		to := filepath.Join("..", "..", blobsDir, p.Digest.file()) // relative: the store may be moved
		if err := os.Symlink(to, filepath.Join(folder, p.File)); err != nil {
			return Imported{}, err
		}
	}
	m.Path = filepath.Join(s.model(m.Name), m.Parts[0].File)
	if err := writeRecord(filepath.Join(folder, recordFile), m); err != nil {
		return Imported{}, err
	}
	if err := syncDir(folder); err != nil {
		return Imported{}, err
	}
	if err := os.Rename(folder, s.model(m.Name)); err != nil {
		return Imported{}, err
	}
	return Imported{Model: m}, syncDir(filepath.Join(s.dir, modelsDir))
}

// commitWeights puts the files among the blobs. One that is there is replaced: it may be damaged,
// and importing again is how people repair that. Who has it open keeps the old one.
func (st *stage) commitWeights(m Model) error {
	for _, p := range m.Parts {
		if err := os.Rename(st.path(p.File), st.store.blob(p.Digest)); err != nil {
			return err
		}
	}
	return syncDir(filepath.Join(st.store.dir, blobsDir))
}

// writeRecord writes the record of a model, on disk. Where the store is does not belong into it.
func writeRecord(path string, m Model) error {
	m.Path = ""
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

package schema

import "fmt"

// ListKind reads lists. The methods set limits while the schema is built.
type ListKind[T any] struct {
	item     Kind[T]
	min, max int // items; max -1 is no limit
}

// List accepts lists of the given kind of items.
func List[T any](item Kind[T]) ListKind[T] { return ListKind[T]{item: item, max: -1} }

// Min demands a number of items.
func (k ListKind[T]) Min(n int) ListKind[T] { k.min = n; return k }

// Max limits the number of items. The items of a longer list are not reported on.
func (k ListKind[T]) Max(n int) ListKind[T] { k.max = n; return k }

func (k ListKind[T]) read(c *checker, v Value) ([]T, bool) {
	if v.kind() != list {
		c.fail(v, "list_type", "Input should be a valid list")
		return nil, false
	}
	if k.max >= 0 {
		if n := v.length(); n > k.max {
			c.fail(v, "too_long",
				fmt.Sprintf("List should have at most %s after validation, not %d", count(k.max, "item"), n),
				Detail{"field_type", "List"}, Detail{"max_length", k.max}, Detail{"actual_length", n})
			return nil, false
		}
	}
	items := []T{}
	index, ok := 0, true
	for value := range v.items() {
		c.enter(index)
		item, itemOK := k.item.read(c, value)
		c.leave()
		if ok = ok && itemOK; ok {
			items = append(items, item)
		}
		index++
	}
	if !ok {
		return nil, false
	}
	if index < k.min {
		c.fail(v, "too_short",
			fmt.Sprintf("List should have at least %s after validation, not %d", count(k.min, "item"), index),
			Detail{"field_type", "List"}, Detail{"min_length", k.min}, Detail{"actual_length", index})
		return nil, false
	}
	return items, true
}

// vmui keeps its settings in localStorage, which throws in a page that is isolated from the console. This one lasts as long as the page.
for (const name of ["localStorage", "sessionStorage"]) {
	const items = new Map();
	Object.defineProperty(window, name, { value: {
		get length() { return items.size; },
		key: (i) => [...items.keys()][i] ?? null,
		getItem: (key) => items.get(String(key)) ?? null,
		setItem: (key, value) => { items.set(String(key), String(value)); },
		removeItem: (key) => { items.delete(String(key)); },
		clear: () => { items.clear(); },
	} });
}
if (window.name) localStorage.setItem("VMUI:THEME", JSON.stringify({ value: window.name }));

export function title(count) {
	return `${count} events`;
}

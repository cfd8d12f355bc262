import { find } from "./dom.js";

/** A native dialog of this page: Escape and every "close" button close it, and the focus goes back by itself. */
export function dialogOf(name) {
  const dialog = find(`[data-dialog=${name}]`);
  for (const button of dialog.querySelectorAll("[data-action=close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  return dialog;
}

/**
 * Has the dialog's form do something instead of closing it: it closes when that is done and
 * `work` returns nothing, and says why not when it rejects.
 */
export function onConfirm(dialog, work) {
  const mistake = find("[data-mistake]", dialog);
  const confirm = find("[type=submit]", dialog);
  find("form", dialog).addEventListener("submit", async (event) => {
    event.preventDefault();
    mistake.hidden = true;
    confirm.disabled = true;
    try {
      if (await work() === undefined) dialog.close();
    } catch (error) {
      showMistake(dialog, error);
    }
    confirm.disabled = false;
    // It had the focus, and lost it.
    if (dialog.open && !dialog.contains(document.activeElement)) confirm.focus();
  });
}

export function showMistake(dialog, error) {
  const mistake = find("[data-mistake]", dialog);
  mistake.textContent = `That failed: ${error.message}.`;
  mistake.setAttribute("role", "alert");
  mistake.hidden = false;
}

/** Opens a dialog without what an earlier time left in it. */
export function show(dialog) {
  const mistake = find("[data-mistake]", dialog);
  if (mistake !== null) mistake.hidden = true;
  dialog.showModal();
}

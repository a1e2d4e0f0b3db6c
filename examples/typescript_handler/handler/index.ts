interface ImportantEvent {
  veryImportantData: string;
}

/** Fails 80 % of the time: with one retry, 64 % of the events fail for good. */
export const handler = async (event: ImportantEvent): Promise<string> => {
  if (Math.random() < 0.8) {
    throw new Error("Something went wrong!");
  }
  return `Processed: ${event.veryImportantData}`;
};
